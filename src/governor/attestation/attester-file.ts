import { readFileSync } from 'node:fs';
import { canonicalize, parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { isTcti, Tpm2Tools } from '../../environment/index.ts';
import type { QuoteSource } from './session-quotes.ts';

const ATTESTER = 'writ/attester@v1';
const HANDLE = /^0x81[0-9a-f]{6}$/;

/** How this machine's TPM is asked for quotes. What it says counts as governance has enrolled it, not as it says here. */
export interface AttesterFile {
  /** Name of the enrolled environment. */
  readonly name: string;
  readonly tcti: string;
  /** Persistent handle of the attestation key. */
  readonly handle: string;
}

export function isPersistentHandle(text: string): boolean {
  return HANDLE.test(text);
}

export function attesterFileText({ name, tcti, handle }: AttesterFile): string {
  return `${canonicalize({ type: ATTESTER, name, tcti, handle })}\n`;
}

/** @returns undefined where this machine has no TPM enrolled. */
export function readAttesterFile(path: string): AttesterFile | Denial | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const json = parseJsonObject(text, 'request.malformed', { maxBytes: 4096 });
  if (isDenial(json)) return json;
  const { type, name, tcti, handle, ...unknown } = json;
  const isWellFormed =
    type === ATTESTER &&
    typeof name === 'string' &&
    typeof tcti === 'string' &&
    isTcti(tcti) &&
    typeof handle === 'string' &&
    isPersistentHandle(handle) &&
    Object.keys(unknown).length === 0;
  return isWellFormed ? { name, tcti, handle } : deny('request.malformed', `${path} names no TPM`);
}

/** Asks the TPM of the file. Not for two callers at a time: the sessions of one enforcement point take turns. */
export function tpmQuoteSource({ name, tcti, handle }: AttesterFile): QuoteSource {
  return {
    name,
    quote: (pcrs, data) => Tpm2Tools.with(tcti, (tpm) => tpm.quote(handle, pcrs, data)),
  };
}
