import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyChain } from '../artifact/index.ts';
import {
  encodeBase64url,
  type JsonObject,
  type JsonValue,
  parseJson,
  parseJsonObject,
} from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { foldGovernance } from '../governance/index.ts';
import { readKeyFile } from '../key/index.ts';
import {
  BUNDLE,
  type BundledEntry,
  type DecisionReceipt,
  type EvidenceBundle,
  type EvidenceKind,
  executionSalt,
} from '../receipt/index.ts';
import { LogLocked, openSqliteLogReader, type SqliteLogReader, withSqliteLog } from '../storage/index.ts';
import { formatTlogProof, formatVkey, noteVerifier, openCheckpoint } from '../tlog/index.ts';
import { readEvidenceKey } from './evidence-key.ts';
import { type ExecutionRecord, findExecution } from './execution-record.ts';
import { openGovernanceFollower } from './governance-follower.ts';
import type { Home } from './home.ts';
import { cosignerFor } from './witness-policy-file.ts';

export interface BundleOptions {
  /** Evidence to leave out. Without `request` the salt is left out too: it would let guesses be tested. */
  readonly withhold?: ReadonlySet<EvidenceKind>;
}

const EVIDENCE_LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 128 };
const CHECKPOINT_WAIT_MS = 100;
const MAX_CHECKPOINT_WAITS = 50;

/**
 * Packs everything an outsider needs to verify one execution offline (DESIGN §1, evidence bundle).
 *
 * @returns a denial where no log knows the execution, or no signed checkpoint can be had that covers it.
 */
export async function bundleExecution(
  home: Home,
  executionId: string,
  options: BundleOptions = {},
): Promise<EvidenceBundle | Denial> {
  const found = findExecution(home, executionId);
  if (found === undefined) {
    return deny('request.malformed', `no log of ${home.domain} knows execution ${executionId}`);
  }
  const { log, reader, record } = found;
  try {
    const evidenceKey = readEvidenceKey(home.evidenceKeyFile);
    if (isDenial(evidenceKey)) return evidenceKey;
    const checkpoint = await coveringCheckpoint(
      home,
      log,
      Math.max(record.decisionIndex, record.outcomeIndex ?? 0),
    );
    if (isDenial(checkpoint)) return checkpoint;
    const entry = (index: number) => bundledEntry(reader, index, checkpoint);
    const sealed = readEvidence(reader, record.decision, evidenceKey, options.withhold ?? new Set());
    return {
      type: BUNDLE,
      decision: entry(record.decisionIndex),
      ...(record.outcomeIndex === undefined ? {} : { outcome: entry(record.outcomeIndex) }),
      evidence: { ...sealed, ...anchorOf(home, record, sealed.chain) },
      ...(sealed.request === undefined
        ? {}
        : { salt: encodeBase64url(executionSalt(evidenceKey, executionId)) }),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny('log.unavailable', `the evidence cannot be read: ${reason}`);
  } finally {
    reader.close();
  }
}

interface Checkpoint {
  readonly note: string;
  readonly size: number;
}

function bundledEntry(reader: SqliteLogReader, index: number, { note, size }: Checkpoint): BundledEntry {
  const [bytes = new Uint8Array()] = reader.read(index, 1);
  return {
    entry: Buffer.from(bytes).toString('base64'),
    proof: formatTlogProof({ index, proof: reader.inclusionProof(index, size), checkpoint: note }),
  };
}

/** The published checkpoint, or a new one where none covers the entry and no gateway is there to publish it. */
async function coveringCheckpoint(home: Home, log: string, index: number): Promise<Checkpoint | Denial> {
  // Only the key the domain knows the log by: a key made here and now would vouch for whatever stands in the folder.
  const signer = readKeyFile(home.logKeyFile(log));
  if (isDenial(signer)) return signer;
  const origin = home.executionOrigin(log);
  if (!isEnrolled(home, origin, formatVkey(origin, signer.publicKey))) {
    return deny('log.unavailable', `${origin} is no log of the domain under the key at hand`);
  }
  const directory = home.executionLogFolder(log);
  const verifier = noteVerifier(origin, signer.publicKey);
  const cosigner = cosignerFor(home, verifier);
  if (isDenial(cosigner)) return cosigner;
  const options = { directory, origin, signer, lockTimeoutMs: 0, ...(cosigner && { cosigner }) };
  for (let wait = 0; wait < MAX_CHECKPOINT_WAITS; wait += 1) {
    const note = readCheckpoint(directory);
    const checkpoint = note === undefined ? undefined : openCheckpoint(note, verifier);
    if (isDenial(checkpoint)) return checkpoint;
    const isAccepted = note !== undefined && (cosigner?.check(note).met ?? true);
    if (isAccepted && checkpoint !== undefined && checkpoint.size > index) {
      return { note, size: checkpoint.size };
    }
    try {
      await withSqliteLog(options, (open) => open.checkpoint());
    } catch (error) {
      if (!(error instanceof LogLocked)) throw error;
      // A running gateway publishes within its interval.
      await sleep(CHECKPOINT_WAIT_MS);
    }
  }
  return deny('log.unavailable', 'no published checkpoint covers the execution yet: try again in a moment');
}

function isEnrolled(home: Home, origin: string, vkey: string): boolean {
  const follower = openGovernanceFollower(home);
  if (isDenial(follower)) return false;
  follower.close();
  return follower.view.state.logByOrigin(origin)?.vkeys.includes(vkey) ?? false;
}

function readCheckpoint(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'checkpoint'), 'utf8');
  } catch {
    return undefined;
  }
}

function readEvidence(
  reader: SqliteLogReader,
  receipt: DecisionReceipt,
  key: Uint8Array,
  withhold: ReadonlySet<EvidenceKind>,
): Omit<EvidenceBundle['evidence'], 'anchor'> {
  const unseal = (kind: EvidenceKind): Uint8Array | undefined => {
    const address = receipt.evidence[kind];
    return address === undefined || withhold.has(kind) ? undefined : reader.readEvidence(address, key);
  };
  const object = (kind: EvidenceKind): { [name in EvidenceKind]?: JsonObject } => {
    const bytes = unseal(kind);
    const json = bytes === undefined ? undefined : parseJsonObject(bytes, 'log.unavailable', EVIDENCE_LIMITS);
    return json === undefined || isDenial(json) ? {} : { [kind]: json };
  };
  const { request } = object('request');
  const { policy } = object('policy');
  const { measurement } = object('measurement');
  const chain = chainOf(unseal('chain'));
  return {
    ...(request && { request }),
    ...(chain && { chain }),
    ...(policy && { policy }),
    ...(measurement && { measurement }),
  };
}

function chainOf(bytes: Uint8Array | undefined): readonly string[] | undefined {
  if (bytes === undefined) return undefined;
  const json: JsonValue | Denial = parseJson(bytes, 'log.unavailable', EVIDENCE_LIMITS);
  if (isDenial(json) || !Array.isArray(json)) return undefined;
  return json.every((token) => typeof token === 'string') ? json : undefined;
}

/** The anchor under which the chain was verified, as the governance log stood at the decision. */
function anchorOf(
  home: Home,
  { decision }: ExecutionRecord,
  chain: readonly string[] | undefined,
): Pick<EvidenceBundle['evidence'], 'anchor'> {
  if (chain === undefined || decision.artifact === undefined) return {};
  const governance = openSqliteLogReader(home.governanceFolder);
  try {
    const state = foldGovernance(governance.read(0, decision.governance.size));
    if (isDenial(state)) return {};
    const verified = verifyChain(chain, { anchors: state.anchors, nowSeconds: decision.atMs / 1000 });
    if (isDenial(verified)) return {};
    const { iss, key } = verified.anchor;
    return { anchor: { iss, jwk: { ...key.jwk } } };
  } finally {
    governance.close();
  }
}
