import { createPrivateKey } from 'node:crypto';
import { type BigIntStats, statSync } from 'node:fs';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { readPrivateFile } from '../../key/index.ts';
import {
  type HeldWit,
  holdWit,
  proveHeldWit,
  type WorkloadCall,
  type WorkloadSource,
} from '../../workload/index.ts';

/** Files that something else keeps up to date (`spiffe-helper`, `writ workload fetch`): only their owner may read them. */
export interface WitFileNames {
  /** The token, compact. */
  readonly witFile: string;
  /** The private key that it confirms, PEM. */
  readonly keyFile: string;
}

/**
 * A WIT-SVID from two files. They are looked at with every call, so what replaces them counts from the next call on. INVARIANT:
 * token and key are taken as a pair or not at all: while only one of them has been replaced, the former pair serves on.
 */
export class WitFiles implements WorkloadSource {
  readonly #names: WitFileNames;
  #held: HeldWit | undefined;
  /** Of the files as they were when the pair was taken. */
  #seen: string | undefined;
  problem: string | undefined;

  constructor(names: WitFileNames) {
    this.#names = names;
    this.#look();
  }

  prove(call: WorkloadCall): { readonly wit: string; readonly wpt: string } | Denial {
    this.#look();
    if (this.#held !== undefined && call.nowSeconds < this.#held.expSeconds) {
      return proveHeldWit(this.#held, call);
    }
    return deny('identity.mismatch', `no WIT-SVID to show: ${this.problem ?? 'it has expired'}`);
  }

  close(): void {
    this.#held = undefined;
  }

  #look(): void {
    const { witFile, keyFile } = this.#names;
    const now = `${stateOf(witFile)} ${stateOf(keyFile)}`;
    if (now === this.#seen) return;
    const read = readPair(this.#names);
    if (typeof read === 'string') {
      this.problem = read;
      return;
    }
    this.#held = read;
    this.#seen = now;
    this.problem = undefined;
  }
}

function readPair({ witFile, keyFile }: WitFileNames): HeldWit | string {
  const wit = readPrivateFile(witFile, 'token');
  const pem = readPrivateFile(keyFile);
  // Of the files themselves it may be said what is wrong; never what is in them.
  if (isDenial(wit)) return wit.detail;
  if (isDenial(pem)) return pem.detail;
  try {
    const held = holdWit(wit.trim(), createPrivateKey(pem));
    return typeof held === 'string' ? `${witFile}: ${held}` : held;
  } catch {
    return `key ${keyFile} is no private key in PEM`;
  }
}

function stateOf(file: string): string {
  let status: BigIntStats | undefined;
  try {
    status = statSync(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    // Said when it is read.
  }
  return status === undefined ? 'none' : `${status.dev}:${status.ino}:${status.size}:${status.ctimeNs}`;
}
