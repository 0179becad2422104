import { verifyChain } from '../../artifact/index.ts';
import {
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  actionSalt,
  BUNDLE,
  type BundledEntry,
  type BundledExecution,
  type DecisionReceipt,
  EVIDENCE_KINDS,
  type EvidenceBundle,
  type EvidenceKind,
  executionSalt,
  MAX_BUNDLE_BYTES,
} from '../../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import { formatTlogProof } from '../../tlog/index.ts';
import { recordedActionOf } from '../approvals/recorded-action.ts';
import { readEvidenceKey } from '../evidence-key.ts';
import type { Home } from '../home.ts';
import { GovernanceTimeline } from '../replay/governance-timeline.ts';
import { isRedactedRequest } from '../request-evidence.ts';
import type { DomainLogs, FoundExecution, SignedHead } from './domain-logs.ts';
import { packGovernance } from './pack-governance.ts';

export interface BundleOptions {
  /** Evidence to leave out. Without `request` the salt is left out too: it would let guesses be tested. */
  readonly withhold?: ReadonlySet<EvidenceKind>;
}

/** An execution to be packed: with its evidence, or, as an ancestor of another, its receipts alone. */
export interface PackedExecution extends FoundExecution {
  readonly subject: boolean;
}

const EVIDENCE_LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 128 };

/** Packs executions of a domain. Denies where no signed checkpoint can be had that covers them, or they are too large. */
export async function packBundle(
  home: Home,
  logs: DomainLogs,
  about: EvidenceBundle['about'],
  executions: readonly PackedExecution[],
  { withhold = new Set() }: BundleOptions,
): Promise<EvidenceBundle | Denial> {
  const evidenceKey = readEvidenceKey(home.evidenceKeyFile);
  if (isDenial(evidenceKey)) return evidenceKey;
  const heads = await coveringHeads(logs, executions);
  if (isDenial(heads)) return heads;
  const reader = openSqliteLogReader(home.governanceFolder);
  try {
    const governance = packGovernance(
      home,
      reader,
      Math.max(...executions.map(({ record }) => record.decision.governance.size)),
      new Set(executions.map(({ log }) => home.executionOrigin(log))),
    );
    if (isDenial(governance)) return governance;
    const packer = new Packer(reader, evidenceKey, withhold);
    const packed: BundledExecution[] = [];
    for (const execution of executions) {
      const head = heads.get(execution.log);
      if (head === undefined) return deny('log.unavailable', `log ${execution.log} has no checkpoint`);
      packed.push(packer.pack(execution, logs.reader(execution.log), head));
    }
    const bundle = {
      type: BUNDLE,
      about,
      executions: packed,
      evidence: packer.evidence,
      governance,
    } as const;
    const bytes = Buffer.byteLength(JSON.stringify(bundle));
    return bytes <= MAX_BUNDLE_BYTES
      ? bundle
      : deny('request.too_large', `the bundle would have ${bytes} bytes, and may have ${MAX_BUNDLE_BYTES}`);
  } finally {
    reader.close();
  }
}

/** One checkpoint for each log, which covers every execution in it. */
async function coveringHeads(
  logs: DomainLogs,
  executions: readonly PackedExecution[],
): Promise<ReadonlyMap<string, SignedHead> | Denial> {
  const last = new Map<string, number>();
  for (const { log, record } of executions) {
    last.set(log, Math.max(last.get(log) ?? 0, record.decisionIndex, record.outcomeIndex ?? 0));
  }
  const heads = new Map<string, SignedHead>();
  for (const [log, index] of last) {
    const head = await logs.coveringHead(log, index);
    if (isDenial(head)) return head;
    heads.set(log, head);
  }
  return heads;
}

class Packer {
  readonly evidence: Record<string, JsonObject | readonly string[]> = {};
  readonly #governance: GovernanceTimeline;
  readonly #key: Uint8Array;
  readonly #withhold: ReadonlySet<EvidenceKind>;

  constructor(governance: SqliteLogReader, key: Uint8Array, withhold: ReadonlySet<EvidenceKind>) {
    this.#governance = new GovernanceTimeline(governance);
    this.#key = key;
    this.#withhold = withhold;
  }

  pack({ record, subject }: PackedExecution, reader: SqliteLogReader, head: SignedHead): BundledExecution {
    const { decision, decisionIndex, outcomeIndex } = record;
    const entry = (index: number) => bundledEntry(reader, index, head);
    const outcome =
      decision.verdict === 'permit'
        ? { outcome: outcomeIndex === undefined ? null : entry(outcomeIndex) }
        : {};
    const receipts = { decision: entry(decisionIndex), ...outcome };
    if (!subject) return receipts;
    const withheld = EVIDENCE_KINDS.filter((kind) => !this.#add(kind, decision.evidence[kind], reader));
    const request = decision.evidence.request !== undefined && !withheld.includes('request');
    return {
      ...receipts,
      ...(withheld.length === 0 ? {} : { withheld }),
      ...this.#anchorOf(record),
      ...(request ? { salt: encodeBase64url(executionSalt(this.#key, decision.id)) } : {}),
      ...(request ? this.#actionSaltOf(decision) : {}),
    };
  }

  /** Of an action that approvals were asked for. */
  #actionSaltOf(decision: DecisionReceipt): Pick<BundledExecution, 'actionSalt'> {
    const request = this.evidence[decision.evidence.request ?? ''];
    if (decision.approvals === undefined || request === undefined || !isJsonObject(request)) return {};
    const action = recordedActionOf(decision, request);
    if (action === undefined) return {};
    return { actionSalt: encodeBase64url(actionSalt(this.#key, action.canonical)) };
  }

  /** False where the receipt names it and it is left out: withheld, erased, or not readable. */
  #add(kind: EvidenceKind, address: string | undefined, reader: SqliteLogReader): boolean {
    if (address === undefined) return true;
    if (this.#withhold.has(kind)) return false;
    if (Object.hasOwn(this.evidence, address)) return true;
    const bytes = reader.readEvidence(address, this.#key);
    const json = bytes === undefined ? undefined : parseJson(bytes, 'log.unavailable', EVIDENCE_LIMITS);
    if (json === undefined || isDenial(json) || !isEvidence(json)) return false;
    // Arguments that are not all there cannot be compared with anything, and their salt would let the rest be guessed.
    if (kind === 'request' && isJsonObject(json) && isRedactedRequest(json)) return false;
    this.evidence[address] = json;
    return true;
  }

  /** The anchor under which the chain was verified, as the governance log stood at the decision. */
  #anchorOf({ decision }: FoundExecution['record']): Pick<BundledExecution, 'anchor'> {
    const chain = this.evidence[decision.evidence.chain ?? ''];
    if (!Array.isArray(chain) || decision.artifact === undefined) return {};
    const state = this.#governance.at(decision.governance);
    if (isDenial(state)) return {};
    const verified = verifyChain(chain, { anchors: state.anchors, nowSeconds: decision.atMs / 1000 });
    if (isDenial(verified)) return {};
    const { iss, key } = verified.anchor;
    return { anchor: { iss, jwk: { ...key.jwk } } };
  }
}

function bundledEntry(reader: SqliteLogReader, index: number, { note, size }: SignedHead): BundledEntry {
  const [bytes = new Uint8Array()] = reader.read(index, 1);
  return {
    entry: Buffer.from(bytes).toString('base64'),
    proof: formatTlogProof({ index, proof: reader.inclusionProof(index, size), checkpoint: note }),
  };
}

function isEvidence(json: JsonValue): json is JsonObject | readonly string[] {
  if (Array.isArray(json)) return json.every((token) => typeof token === 'string');
  return typeof json === 'object' && json !== null;
}
