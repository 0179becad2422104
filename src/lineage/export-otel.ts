import { sha256 } from '../codec/index.ts';
import type { LineageEntry } from './lineage-entry.ts';

/** An attribute's value as OTLP/JSON has it. */
type AnyValue =
  | { readonly stringValue: string }
  | { readonly intValue: number }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } };

export interface OtlpAttribute {
  readonly key: string;
  readonly value: AnyValue;
}

/** `opentelemetry.proto.trace.v1.Span` in OTLP/JSON: ids in hex, times as decimal nanoseconds. */
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly links: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes: readonly OtlpAttribute[];
  }[];
  readonly status: { readonly code: number; readonly message?: string };
}

/** `TracesData`, one line of a file in the OTLP file format, and the body of an OTLP/HTTP request. */
export interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string; readonly version: string };
      readonly spans: readonly OtlpSpan[];
    }[];
  }[];
}

export interface OtelSource {
  /** Trust domain. */
  readonly domain: string;
  /** Version of Writ. */
  readonly version: string;
  /** Looks up where a parent is that may not be exported with it. */
  readonly find: (executionId: string) => Pick<LineageEntry, 'log' | 'rootExecutionId'> | undefined;
}

const SPAN_KIND_INTERNAL = 1;
const STATUS = { unset: 0, ok: 1, error: 2 } as const;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Executions as OpenTelemetry spans: one trace for a lineage, one span for an execution, in one resource for each log. A
 * span names its parent as its parent span and links to it, since the two may be shipped apart from each other.
 */
export function otelTraces(entries: Iterable<LineageEntry>, source: OtelSource): OtlpTraces {
  const byLog = new Map<string, OtlpSpan[]>();
  for (const entry of entries) {
    const spans = byLog.get(entry.log);
    if (spans === undefined) byLog.set(entry.log, [spanOf(entry, source)]);
    else spans.push(spanOf(entry, source));
  }
  return {
    resourceSpans: [...byLog].map(([log, spans]) => ({
      resource: {
        attributes: [
          text('service.name', `writ/${log}`),
          text('service.namespace', source.domain),
          text('writ.log', log),
        ],
      },
      scopeSpans: [{ scope: { name: 'writ', version: source.version }, spans }],
    })),
  };
}

/** The trace of a lineage: the digits of its root execution's UUID. */
export function traceIdOf(rootExecutionId: string): string {
  return UUID.test(rootExecutionId)
    ? nonZero(rootExecutionId.replaceAll('-', ''), rootExecutionId)
    : hashOf(rootExecutionId, 16);
}

/** The span of an execution: the last sixteen digits of its UUID, which are random. */
export function spanIdOf(executionId: string): string {
  return UUID.test(executionId)
    ? nonZero(executionId.replaceAll('-', '').slice(16), executionId)
    : hashOf(executionId, 8);
}

function spanOf(entry: LineageEntry, { find }: OtelSource): OtlpSpan {
  const { executionId, rootExecutionId, parentId, tool, decision, end } = entry;
  const traceId = traceIdOf(rootExecutionId);
  const parent = parentId === undefined ? undefined : find(parentId);
  const endMs = Math.max(decision.atMs, end?.atMs ?? decision.atMs);
  return {
    traceId,
    spanId: spanIdOf(executionId),
    ...(parentId === undefined ? {} : { parentSpanId: spanIdOf(parentId) }),
    name: tool === '' ? 'malformed request' : tool,
    kind: SPAN_KIND_INTERNAL,
    startTimeUnixNano: nanosOf(decision.atMs),
    endTimeUnixNano: nanosOf(endMs),
    attributes: attributesOf(entry),
    links:
      parentId === undefined
        ? []
        : [
            {
              traceId: parent === undefined ? traceId : traceIdOf(parent.rootExecutionId),
              spanId: spanIdOf(parentId),
              attributes: [
                text('writ.link', 'parent execution'),
                text('writ.execution.id', parentId),
                ...(parent === undefined ? [] : [text('writ.log', parent.log)]),
              ],
            },
          ],
    status: statusOf(entry),
  };
}

function attributesOf(entry: LineageEntry): OtlpAttribute[] {
  const { executionId, rootExecutionId, parentId, verdict, tool, decision, end, origin, delegations } = entry;
  const { code, agent, policy, environment, artifact, lineage, governance } = decision;
  const optional = (key: string, value: string | undefined) =>
    value === undefined ? [] : [text(key, value)];
  return [
    text('writ.execution.id', executionId),
    text('writ.execution.root', rootExecutionId),
    ...optional('writ.execution.parent', parentId),
    ...(lineage === undefined ? [] : [int('writ.execution.depth', lineage.depth)]),
    text('gen_ai.operation.name', 'execute_tool'),
    ...optional('gen_ai.tool.name', tool === '' ? undefined : tool),
    text('writ.verdict', verdict),
    ...optional('writ.code', code ?? end?.code),
    ...optional('writ.outcome', end?.status),
    text('writ.log', entry.log),
    int('writ.log.index', entry.index),
    text('writ.log.leaf_hash', entry.leafHash),
    text('writ.verification', entry.verification.decision),
    ...optional('writ.agent', agent),
    ...optional('writ.artifact.digest', artifact?.digest),
    ...optional('writ.artifact.issuer', origin?.issuer),
    ...optional('writ.artifact.initiator', origin?.initiator?.id),
    ...(delegations.length === 0
      ? []
      : [
          texts(
            'writ.artifact.tokens',
            delegations.map(({ token }) => token),
          ),
          texts(
            'writ.artifact.holders',
            delegations.map(({ holder }) => holder),
          ),
        ]),
    ...optional('writ.policy.id', policy?.id),
    ...optional('writ.policy.digest', policy?.digest),
    ...optional('writ.environment.digest', environment?.digest),
    int('writ.governance.size', governance.size),
  ];
}

/** A denial is an error of the call, not of Writ; what has no known end is neither. */
function statusOf({ decision, end }: LineageEntry): OtlpSpan['status'] {
  if (decision.code !== undefined) return { code: STATUS.error, message: decision.code };
  if (end?.status === 'succeeded') return { code: STATUS.ok };
  if (end === undefined || end.status === 'unknown') return { code: STATUS.unset };
  return { code: STATUS.error, message: end.code ?? end.status };
}

/** Without floating point: nanoseconds of today pass 2⁵³. */
function nanosOf(ms: number): string {
  return (BigInt(Math.max(0, ms)) * 1_000_000n).toString();
}

/** Ids of all zeros are invalid. */
function nonZero(hex: string, id: string): string {
  return /^0+$/.test(hex) ? hashOf(id, hex.length / 2) : hex;
}

function hashOf(id: string, bytes: number): string {
  return Buffer.from(sha256(Buffer.from(id, 'utf8')))
    .toString('hex')
    .slice(0, bytes * 2);
}

function text(key: string, value: string): OtlpAttribute {
  return { key, value: { stringValue: value } };
}

function texts(key: string, values: readonly string[]): OtlpAttribute {
  return { key, value: { arrayValue: { values: values.map((value) => ({ stringValue: value })) } } };
}

function int(key: string, value: number): OtlpAttribute {
  return { key, value: { intValue: value } };
}
