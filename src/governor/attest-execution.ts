import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { readKeyFile, SigningKey, type VerificationKey, writeKeyFile } from '../key/index.ts';
import {
  EVIDENCE_KINDS,
  type EvidenceKind,
  formatEnvelopeEntry,
  formatSigstoreBundle,
  formatStatement,
  formatTrustedRoot,
  keyHintOf,
  type NamedKey,
  type ProvenReceipts,
  signEnvelope,
  verifyAttestation,
} from '../receipt/index.ts';
import { type SqliteLog, withSqliteLog } from '../storage/index.ts';
import { formatVkey, noteVerifier, openCheckpoint } from '../tlog/index.ts';
import { bundleExecution } from './evidence/bundle-execution.ts';
import { findExecution } from './execution-record.ts';
import { openGovernanceFollower } from './governance-follower.ts';
import { appendGovernance } from './governance-writer.ts';
import { type Home, writeFileDurably } from './home.ts';
import { cosignerFor } from './witness-policy-file.ts';

/** An execution as Sigstore tools verify it, and what they are told to trust. */
export interface ExecutionAttestation {
  readonly bundle: JsonObject;
  readonly trustedRoot: JsonObject;
  /** The key of the execution log, which signed the Statement, and the hint by which the bundle names it. */
  readonly signer: VerificationKey;
  readonly keyHint: string;
  /** Bytes of the log entries that are the Statement's subjects. */
  readonly subjects: { readonly decision: Uint8Array; readonly outcome?: Uint8Array };
  /** Where the attestation log has it. */
  readonly index: number;
}

const EVIDENCE: ReadonlySet<EvidenceKind> = new Set(EVIDENCE_KINDS);

/**
 * States an execution as an in-toto Statement that its execution log signs, and records the signature in the domain's
 * attestation log before it is handed out (spec/attestation.md). Every call adds an entry.
 *
 * @returns a denial where no log knows the execution, no signed checkpoint can be had, or a log cannot be used.
 */
export async function attestExecution(
  home: Home,
  executionId: string,
  { actor, atSeconds }: { readonly actor: string; readonly atSeconds: number },
): Promise<ExecutionAttestation | Denial> {
  const packed = await bundleExecution(home, executionId, { withhold: EVIDENCE });
  if (isDenial(packed)) return packed;
  const [receipts] = packed.executions;
  if (receipts === undefined) return deny('request.malformed', `no log knows execution ${executionId}`);
  const found = findExecution(home, executionId);
  if (found === undefined) return deny('request.malformed', `no log knows execution ${executionId}`);
  found.reader.close();
  const signer = readKeyFile(home.logKeyFile(found.log));
  if (isDenial(signer)) return signer;
  const statement = formatStatement(receipts);
  if (isDenial(statement)) return statement;
  const origin = home.executionOrigin(found.log);
  const keyHint = keyHintOf({ origin, key: signer.publicKey });
  const envelope = signEnvelope(statement, signer, keyHint);
  const body = formatEnvelopeEntry(envelope, signer.publicKey);

  const recorded = await record(home, body, { actor, atSeconds });
  if (isDenial(recorded)) return recorded;
  const bundle = formatSigstoreBundle(envelope, { ...recorded, body });
  const { problems } = verifyAttestation(JSON.stringify(bundle), noteVerifier(origin, signer.publicKey));
  const [problem] = problems;
  if (problem !== undefined) return deny('log.unavailable', problem);
  return {
    bundle,
    trustedRoot: formatTrustedRoot(recorded.log),
    signer: signer.publicKey,
    keyHint,
    subjects: subjectsOf(receipts),
    index: recorded.index,
  };
}

function subjectsOf({ decision, outcome }: ProvenReceipts): ExecutionAttestation['subjects'] {
  const bytesOf = (entry: string) => Buffer.from(entry, 'base64');
  return {
    decision: bytesOf(decision.entry),
    ...(outcome && { outcome: bytesOf(outcome.entry) }),
  };
}

/** Appends an entry to the attestation log and publishes the checkpoint that covers it. */
async function record(
  home: Home,
  entry: Uint8Array,
  by: { readonly actor: string; readonly atSeconds: number },
) {
  const signer = openAttestationKey(home);
  if (isDenial(signer)) return signer;
  const { attestationFolder: directory, attestationOrigin: origin } = home;
  const log: NamedKey = { origin, key: signer.publicKey };
  const lost = findLost(home);
  if (lost !== undefined) return lost;
  const cosigner = cosignerFor(home, noteVerifier(origin, log.key));
  if (isDenial(cosigner)) return cosigner;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return await withSqliteLog({ directory, origin, signer, ...(cosigner && { cosigner }) }, async (open) => {
      const failed = await enroll(home, log, by);
      if (failed !== undefined) return failed;
      return { log, ...(await appendProven(open, entry, log)) };
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny('log.unavailable', `the attestation log cannot be written: ${reason}`);
  }
}

async function appendProven(open: SqliteLog, entry: Uint8Array, { origin, key }: NamedKey) {
  const appended = await open.append({ entry });
  if (appended.kind !== 'appended') throw new TypeError('an attestation consumes nothing');
  const note = await open.checkpoint();
  const checkpoint = openCheckpoint(note, noteVerifier(origin, key));
  if (isDenial(checkpoint)) throw new TypeError(checkpoint.detail);
  const { index } = appended;
  return { index, proof: open.inclusionProof(index, checkpoint.size), note, checkpoint };
}

/** Made on first use. */
function openAttestationKey(home: Home): SigningKey | Denial {
  const path = home.keyFile('attestation');
  if (!existsSync(path)) {
    const failed = writeKeyFile(path, SigningKey.generate());
    // Another process may have made it in between; then its key counts.
    if (failed !== undefined && !existsSync(path)) return failed;
  }
  return readKeyFile(path);
}

/**
 * INVARIANT: one key never signs two histories of a log. It is enrolled after it was made, so that one which is enrolled
 * and not there has been lost, and none may be begun in its place.
 */
function findLost(home: Home): Denial | undefined {
  if (existsSync(join(home.attestationFolder, 'log.sqlite'))) return undefined;
  const known = enrolledVkeys(home);
  if (isDenial(known)) return known;
  if (known.length === 0) return undefined;
  return deny(
    'log.unavailable',
    `the attestation log has been used, but ${home.attestationFolder} does not hold it any more: restore it`,
  );
}

/** Makes the log's key known: to the domain by a governance event, to auditors by a file beside the log. */
async function enroll(
  home: Home,
  { origin, key }: NamedKey,
  { actor, atSeconds }: { readonly actor: string; readonly atSeconds: number },
): Promise<Denial | undefined> {
  const vkey = formatVkey(origin, key);
  const file = join(home.attestationFolder, 'log.vkey');
  if (!existsSync(file) || readFileSync(file, 'utf8').trim() !== vkey) {
    writeFileDurably(file, `${vkey}\n`, 0o644);
  }
  const known = enrolledVkeys(home);
  if (isDenial(known)) return known;
  if (known.includes(vkey)) return undefined;
  const appended = await appendGovernance(home, [
    { event: 'log.enrolled', at: atSeconds, actor, origin, vkey },
  ]);
  return isDenial(appended) ? appended : undefined;
}

function enrolledVkeys(home: Home): readonly string[] | Denial {
  const follower = openGovernanceFollower(home);
  if (isDenial(follower)) return follower;
  follower.close();
  return follower.view.state.logByOrigin(home.attestationOrigin)?.vkeys ?? [];
}
