import type { JsonObject, JsonValue } from '../codec/index.ts';
import { sha256 } from '../codec/index.ts';
import type { LineageEntry } from './lineage-entry.ts';

/** OpenLineage core specification 2-0-2, and the facets of it that are used. */
const RUN_EVENT = 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent';
const PARENT_FACET = 'https://openlineage.io/spec/facets/1-1-0/ParentRunFacet.json#/$defs/ParentRunFacet';
const JOB_TYPE_FACET = 'https://openlineage.io/spec/facets/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet';
/** Facets of our own (spec/lineage.schema.json). */
const OWN_FACETS = 'urn:writ:spec:lineage.schema.json#/$defs';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface OpenLineageSource {
  /** Trust domain. */
  readonly domain: string;
  /** URI of the program that writes the events. */
  readonly producer: string;
  /** Looks up a parent or root, which may not be exported with it. */
  readonly find: (executionId: string) => LineageEntry | undefined;
}

/**
 * The run events of an execution. A permit starts a run, and its outcome ends it: `COMPLETE`, `FAIL`, `ABORT` where it was
 * terminated, `OTHER` where nobody knows. A denial is an `ABORT` with no start: nothing ran.
 */
export function openLineageEvents(entry: LineageEntry, source: OpenLineageSource): JsonObject[] {
  const { decision, end } = entry;
  if (decision.verdict === 'deny') return [eventOf('ABORT', decision.atMs, entry, source)];
  const start = eventOf('START', decision.atMs, entry, source);
  if (end === undefined) return [start];
  const type = { succeeded: 'COMPLETE', failed: 'FAIL', terminated: 'ABORT', unknown: 'OTHER' }[end.status];
  return [start, eventOf(type, end.atMs, entry, source)];
}

function eventOf(
  eventType: string,
  atMs: number,
  entry: LineageEntry,
  source: OpenLineageSource,
): JsonObject {
  const { producer } = source;
  const isEnd = eventType !== 'START';
  return {
    eventType,
    eventTime: new Date(atMs).toISOString(),
    producer,
    schemaURL: RUN_EVENT,
    run: { runId: runIdOf(entry.executionId), facets: runFacets(entry, source, isEnd) },
    job: {
      ...jobOf(entry),
      facets: {
        jobType: {
          _producer: producer,
          _schemaURL: JOB_TYPE_FACET,
          processingType: 'BATCH',
          integration: 'WRIT',
          jobType: 'TOOL_CALL',
        },
      },
    },
    inputs: inputsOf(entry, source),
    outputs: isEnd ? outputsOf(entry, source) : [],
  };
}

/** What is called where: the enforcement point and the tool. */
function jobOf({ decision, tool }: LineageEntry): { readonly namespace: string; readonly name: string } {
  return {
    namespace: decision.audiences.at(-1) ?? decision.log,
    name: tool === '' ? 'malformed request' : tool,
  };
}

function runFacets(entry: LineageEntry, source: OpenLineageSource, isEnd: boolean): JsonObject {
  const { parentId, rootExecutionId, decision, end, origin, delegations } = entry;
  const base = (name: string) => ({ _producer: source.producer, _schemaURL: `${OWN_FACETS}/${name}` });
  const parent = parentId === undefined ? undefined : source.find(parentId);
  const root = rootExecutionId === parentId ? parent : source.find(rootExecutionId);
  return withoutUndefined({
    // The facet demands the parent's job: where no log has the parent, its id stands in our own facet alone.
    parent:
      parent === undefined
        ? undefined
        : withoutUndefined({
            _producer: source.producer,
            _schemaURL: PARENT_FACET,
            run: { runId: runIdOf(parent.executionId) },
            job: { ...jobOf(parent) },
            root:
              root === undefined
                ? undefined
                : { run: { runId: runIdOf(root.executionId) }, job: { ...jobOf(root) } },
          }),
    writ_decision: withoutUndefined({
      ...base('DecisionRunFacet'),
      execution: entry.executionId,
      parent: parentId,
      root: rootExecutionId,
      verdict: decision.verdict,
      code: decision.code,
      log: decision.log,
      index: entry.index,
      leafHash: entry.leafHash,
      verification: entry.verification.decision,
      governanceSize: decision.governance.size,
      policy: decision.policy && { id: decision.policy.id, digest: decision.policy.digest },
      environment: decision.environment?.digest,
    }),
    writ_authority:
      origin === undefined
        ? undefined
        : withoutUndefined({
            ...base('AuthorityRunFacet'),
            issuer: origin.issuer,
            initiator: origin.initiator && { ...origin.initiator },
            agent: decision.agent,
            delegations: delegations.map(({ token, holder }) => ({ token, holder })),
          }),
    writ_outcome:
      end === undefined || !isEnd
        ? undefined
        : withoutUndefined({
            ...base('OutcomeRunFacet'),
            status: end.status,
            code: end.code,
            durationMs: end.durationMs,
          }),
  });
}

function inputsOf({ decision }: LineageEntry, { domain }: OpenLineageSource): JsonObject[] {
  const { artifact, policy } = decision;
  return [
    ...(artifact === undefined ? [] : [{ namespace: `writ://${domain}/artifacts`, name: artifact.digest }]),
    ...(policy === undefined ? [] : [{ namespace: `writ://${domain}/policies`, name: policy.digest }]),
  ];
}

/** Under the name of what came back: its salted digest, which says nothing of it. */
function outputsOf({ end }: LineageEntry, { domain }: OpenLineageSource): JsonObject[] {
  return end?.result === undefined
    ? []
    : [{ namespace: `writ://${domain}/results`, name: end.result.digest }];
}

/** Run ids are UUIDs, as ours are; any other becomes one of version 8 (RFC 9562). */
function runIdOf(executionId: string): string {
  if (UUID.test(executionId)) return executionId;
  const hex = Buffer.from(sha256(Buffer.from(executionId, 'utf8'))).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function withoutUndefined(members: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  const kept: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(members)) if (value !== undefined) kept[name] = value;
  return kept;
}
