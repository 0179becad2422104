import { parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  type EvidenceBundle,
  MAX_BUNDLED_EXECUTIONS,
  parentOfProof,
  parseDecisionReceipt,
} from '../../receipt/index.ts';
import { readEvidenceKey } from '../evidence-key.ts';
import type { Home } from '../home.ts';
import { DomainLogs, type FoundExecution } from './domain-logs.ts';
import { type BundleOptions, type PackedExecution, packBundle } from './pack-bundle.ts';

const EVIDENCE_LIMITS = { maxBytes: 16 * 1024 * 1024, maxDepth: 128 };

/**
 * Packs everything an outsider needs to verify one execution offline, its ancestors up to the root included (DESIGN §1,
 * evidence bundle).
 *
 * @returns a denial where no log knows the execution, or no signed checkpoint can be had that covers it.
 */
export async function bundleExecution(
  home: Home,
  executionId: string,
  options: BundleOptions = {},
): Promise<EvidenceBundle | Denial> {
  return withDomainLogs(home, async (logs) => {
    const found = logs.find(executionId);
    if (found === undefined) return unknown(home, executionId);
    const path: PackedExecution[] = [{ ...found, subject: true }];
    let parent = parentOf(home, logs, found, options);
    while (parent !== undefined && path.length < MAX_BUNDLED_EXECUTIONS) {
      const above = logs.find(parent);
      if (above === undefined) break;
      path.push({ ...above, subject: false });
      parent = above.record.decision.lineage?.parent;
    }
    return packBundle(home, logs, { execution: executionId }, path, options);
  });
}

/**
 * Packs a whole lineage: the root that an execution descends from, and everything the domain's logs have under it.
 * Reads those logs from end to end.
 */
export async function bundleLineage(
  home: Home,
  executionId: string,
  options: BundleOptions = {},
): Promise<EvidenceBundle | Denial> {
  return withDomainLogs(home, async (logs) => {
    const found = logs.find(executionId);
    if (found === undefined) return unknown(home, executionId);
    const root = found.record.decision.lineage?.root ?? executionId;
    const executions: PackedExecution[] = [];
    for (const id of executionsUnder(logs, root)) {
      const execution = logs.find(id);
      if (execution === undefined) continue;
      if (executions.length >= MAX_BUNDLED_EXECUTIONS) {
        return deny('request.too_large', `the lineage has more than ${MAX_BUNDLED_EXECUTIONS} executions`);
      }
      executions.push({ ...execution, subject: true });
    }
    const depthOf = ({ record }: PackedExecution) => record.decision.lineage?.depth ?? 0;
    // Ids are ordered by time.
    const byId = (left: string, right: string) => (left < right ? -1 : 1);
    executions.sort(
      (left, right) =>
        depthOf(left) - depthOf(right) || byId(left.record.decision.id, right.record.decision.id),
    );
    return packBundle(home, logs, { lineage: root }, executions, options);
  });
}

async function withDomainLogs(
  home: Home,
  use: (logs: DomainLogs) => Promise<EvidenceBundle | Denial>,
): Promise<EvidenceBundle | Denial> {
  const logs = DomainLogs.open(home);
  if (isDenial(logs)) return logs;
  try {
    return await use(logs);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown error';
    return deny('log.unavailable', `the evidence cannot be read: ${reason}`);
  } finally {
    logs.close();
  }
}

function unknown(home: Home, executionId: string): Denial {
  return deny('request.malformed', `no log of ${home.domain} knows execution ${executionId}`);
}

/** The parent an execution has; where it was denied for it, the one that its accepted proof names. */
function parentOf(
  home: Home,
  logs: DomainLogs,
  { log, record: { decision } }: FoundExecution,
  { withhold }: BundleOptions,
): string | undefined {
  if (decision.stages.lineage !== 'fail') return decision.lineage?.parent;
  // What was not known then may be known now; the decision did without.
  if (decision.code === 'lineage.parent_unknown') return undefined;
  const key = readEvidenceKey(home.evidenceKeyFile);
  const address = decision.evidence.request;
  if (isDenial(key) || address === undefined || withhold?.has('request') === true) return undefined;
  const bytes = logs.reader(log).readEvidence(address, key);
  const request = bytes && parseJsonObject(bytes, 'log.unavailable', EVIDENCE_LIMITS);
  return request === undefined || isDenial(request) ? undefined : parentOfProof(request.pop);
}

const READ_BATCH = 512;

/** Ids of a root and of every execution whose receipt names it as its root. */
function* executionsUnder(logs: DomainLogs, root: string): Generator<string> {
  yield root;
  const mark = Buffer.from(JSON.stringify(root));
  for (const name of logs.names) {
    const reader = logs.reader(name);
    const { size } = reader.head();
    for (let start = 0; start < size; start += READ_BATCH) {
      for (const entry of reader.read(start, Math.min(READ_BATCH, size - start))) {
        // Most entries are of other lineages: what does not even mention the root is not parsed.
        if (Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength).indexOf(mark) < 0) continue;
        const receipt = parseDecisionReceipt(entry);
        if (!isDenial(receipt) && receipt.id !== root && receipt.lineage?.root === root) yield receipt.id;
      }
    }
  }
}
