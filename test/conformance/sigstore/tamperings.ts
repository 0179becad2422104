import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  formatEnvelopeEntry,
  formatSigstoreBundle,
  formatTrustedRoot,
  signEnvelope,
} from '../../../src/receipt/index.ts';
import {
  formatCheckpoint,
  leafHash,
  MerkleTree,
  noteSigner,
  parseCheckpoint,
  signNote,
} from '../../../src/tlog/index.ts';
import { must } from '../../support/trust-domain.ts';
import {
  type AttestedDomain,
  type BundleJson,
  EXECUTIONS,
  entryOf,
  type LogEntry,
  payloadOf,
  type Trust,
} from './attested-domain.ts';

/** A verification about to happen: each tampering changes some of it in place. */
export interface Draft {
  readonly world: AttestedDomain;
  readonly bundle: BundleJson;
  readonly entry: LogEntry;
  readonly proof: LogEntry['inclusionProof'];
  readonly trust: Trust;
}

type Tampering = readonly [name: string, code: string, tamper: (draft: Draft) => void];

const ORIGIN = 'test.local/attestation';

/** Where the verifier finds out: in the log entry's body, the inclusion proof, the signature, the keys, or the entries. */
const BODY = 'TLOG_BODY_ERROR';
const INCLUSION = 'TLOG_INCLUSION_PROOF_ERROR';
const SIGNATURE = 'SIGNATURE_ERROR';
const KEY = 'PUBLIC_KEY_ERROR';
const ENTRIES = 'TLOG_ERROR';

/** What is done to the Statement and its signature. */
const STATEMENT_TAMPERINGS: readonly Tampering[] = [
  [
    'a verdict turned round in the payload',
    BODY,
    ({ bundle }) => {
      bundle.dsseEnvelope.payload = deniedPayload(bundle);
    },
  ],
  [
    'a payload with a log entry to fit, unsigned',
    INCLUSION,
    ({ bundle, entry, trust }) => {
      bundle.dsseEnvelope.payload = deniedPayload(bundle);
      entry.canonicalizedBody = toBase64(formatEnvelopeEntry(bundle.dsseEnvelope, trust.key));
    },
  ],
  [
    'another payload type',
    SIGNATURE,
    ({ bundle }) => Object.assign(bundle.dsseEnvelope, { payloadType: 'application/json' }),
  ],
  [
    'a bit of the signature',
    BODY,
    ({ bundle: { dsseEnvelope } }) => {
      const [signature] = dsseEnvelope.signatures;
      signature.sig = flip(signature.sig);
    },
  ],
  [
    'the Statement signed by somebody else',
    BODY,
    ({ bundle, world }) => {
      const payload = Buffer.from(payloadOf(bundle));
      Object.assign(bundle, { dsseEnvelope: signEnvelope(payload, world.mallory, world.at(-1).keyHint) });
    },
  ],
  [
    'another Statement of the same log under this entry',
    BODY,
    ({ bundle, world }) => Object.assign(bundle, { dsseEnvelope: world.bundle(0).dsseEnvelope }),
  ],
  [
    'a hint to a key that nobody knows',
    KEY,
    ({ bundle }) => {
      bundle.verificationMaterial.publicKey.hint = 'test.local/execution/other+00000000';
    },
  ],
];

/** What is done to the proof and the checkpoint. */
const PROOF_TAMPERINGS: readonly Tampering[] = [
  ['a bit of a proof hash', INCLUSION, ({ proof }) => proof.hashes.unshift(flip(proof.hashes.shift() ?? ''))],
  ['a proof hash left out', INCLUSION, ({ proof }) => proof.hashes.pop()],
  ['proof hashes in another order', INCLUSION, ({ proof }) => proof.hashes.reverse()],
  ['another index in the log', INCLUSION, ({ proof }) => Object.assign(proof, { logIndex: '2' })],
  [
    'an index beyond the tree',
    INCLUSION,
    ({ proof }) => Object.assign(proof, { logIndex: String(EXECUTIONS) }),
  ],
  ['another tree size in the checkpoint', INCLUSION, ({ proof }) => changeLine(proof, 1, () => '5')],
  ['another root in the checkpoint', INCLUSION, ({ proof }) => changeLine(proof, 2, flip)],
  [
    'a bit of the checkpoint signature',
    INCLUSION,
    ({ proof }) => changeLine(proof, -2, (line) => line.replace(/\S+$/, flip)),
  ],
  [
    'the checkpoint signed by somebody else under the name of the log',
    INCLUSION,
    ({ proof, world }) => {
      const [text] = proof.checkpoint.envelope.split('\n\n');
      proof.checkpoint.envelope = signNote(`${text}\n`, [noteSigner(ORIGIN, world.mallory)]);
    },
  ],
  [
    'an earlier checkpoint of the same log',
    INCLUSION,
    ({ proof, world }) => Object.assign(proof, { checkpoint: world.entry(-2).inclusionProof.checkpoint }),
  ],
  [
    'a checkpoint of the execution log',
    INCLUSION,
    ({ proof, world }) => {
      const file = join(world.domain.home.executionLogFolder('fs'), 'checkpoint');
      proof.checkpoint.envelope = readFileSync(file, 'utf8');
    },
  ],
];

/** What is done to the log entry, and to what the verifier is told to trust. */
const LOG_TAMPERINGS: readonly Tampering[] = [
  [
    'a bit of the canonicalized body',
    INCLUSION,
    ({ entry }) => {
      entry.canonicalizedBody = flip(entry.canonicalizedBody);
    },
  ],
  [
    'the log entry, proof and checkpoint of another Statement',
    BODY,
    ({ entry, world }) => Object.assign(entry, world.entry(0)),
  ],
  [
    'the id of another log',
    INCLUSION,
    ({ entry: { logId } }) => Object.assign(logId, { keyId: flip(logId.keyId) }),
  ],
  ['another kind of entry', BODY, ({ entry }) => Object.assign(entry.kindVersion, { version: '0.0.1' })],
  ['no log entry at all', ENTRIES, ({ bundle }) => bundle.verificationMaterial.tlogEntries.pop()],
  [
    'the entry given twice',
    ENTRIES,
    ({ bundle, entry }) => bundle.verificationMaterial.tlogEntries.push(structuredClone(entry)),
  ],
  [
    'a log of somebody’s own that calls itself this one',
    INCLUSION,
    ({ bundle, entry, world }) => {
      const forged = ownLogEntry(world, bundle);
      Object.assign(entry, { ...forged, logId: entry.logId });
    },
  ],
  [
    'a log of somebody’s own under its own id',
    INCLUSION,
    ({ bundle, entry, world }) => Object.assign(entry, ownLogEntry(world, bundle)),
  ],
  [
    'a TrustedRoot of another domain',
    INCLUSION,
    ({ trust, world: { mallory } }) => {
      trust.root = formatTrustedRoot({ origin: 'other.local/attestation', key: mallory.publicKey });
    },
  ],
  [
    'a TrustedRoot with another key for the log',
    INCLUSION,
    ({ trust, world: { mallory } }) => {
      trust.root = formatTrustedRoot({ origin: ORIGIN, key: mallory.publicKey });
    },
  ],
  [
    'another key for the execution log',
    SIGNATURE,
    ({ trust, world: { mallory } }) => {
      trust.key = mallory.publicKey;
    },
  ],
];

export const TAMPERINGS: readonly Tampering[] = [
  ...STATEMENT_TAMPERINGS,
  ...PROOF_TAMPERINGS,
  ...LOG_TAMPERINGS,
];

/** Other bytes of the same length: one bit of base64 text changed. */
export function flip(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return toBase64(bytes);
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function deniedPayload(bundle: BundleJson): string {
  return toBase64(Buffer.from(payloadOf(bundle).replace('"verdict":"permit"', '"verdict":"deny"')));
}

function changeLine({ checkpoint }: Draft['proof'], line: number, change: (text: string) => string): void {
  const lines = checkpoint.envelope.split('\n');
  const at = line < 0 ? lines.length + line : line;
  lines[at] = change(lines[at] ?? '');
  checkpoint.envelope = lines.join('\n');
}

/** A log with the entry as its only one, and everything in order but the key. */
function ownLogEntry({ mallory }: AttestedDomain, bundle: BundleJson): LogEntry {
  const body = Buffer.from(entryOf(bundle).canonicalizedBody, 'base64');
  const tree = new MerkleTree();
  tree.append(leafHash(body));
  const text = formatCheckpoint({ origin: ORIGIN, size: 1, rootHash: tree.root() });
  const forged = formatSigstoreBundle(bundle.dsseEnvelope, {
    log: { origin: ORIGIN, key: mallory.publicKey },
    body,
    index: 0,
    proof: [],
    note: signNote(text, [noteSigner(ORIGIN, mallory)]),
    checkpoint: must(parseCheckpoint(text)),
  });
  return entryOf(forged as unknown as BundleJson);
}
