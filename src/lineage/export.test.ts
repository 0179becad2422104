import { readFileSync } from 'node:fs';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../codec/index.ts';
import { entryOf, HOSTILE, idOf } from './entry.test-support.ts';
import { openLineageEvents } from './export-openlineage.ts';
import { type OtlpAttribute, type OtlpSpan, otelTraces } from './export-otel.ts';
import { ProvDocument } from './export-prov.ts';
import type { LineageEntry } from './lineage-entry.ts';

const parent = entryOf({ id: idOf(1) });
const child = entryOf({ id: idOf(2), parent: idOf(1), log: 'db' });
const running = entryOf({ id: idOf(3), parent: idOf(1), end: null });
const denied = entryOf({
  id: idOf(4),
  parent: idOf(1),
  decision: { verdict: 'deny', code: 'policy.forbidden' },
});
const terminated = entryOf({ id: idOf(5), end: { status: 'terminated', code: 'revocation.revoked' } });
const unknown = entryOf({ id: idOf(6), end: { status: 'unknown' } });
const orphan = entryOf({ id: idOf(7), parent: idOf(99), root: idOf(98) });
const hostile = HOSTILE.map((text) =>
  entryOf({ id: text, parent: text, decision: { tool: text, agent: text, audiences: [text] } }),
);
const ALL = [parent, child, running, denied, terminated, unknown, orphan, ...hostile];
const find = (id: string): LineageEntry | undefined => ALL.find(({ executionId }) => executionId === id);
const source = { domain: 'test.local', producer: 'urn:writ:version:0', version: '0', find };

describe('OpenLineage', () => {
  // What OpenLineage 2-0-2 demands of a RunEvent, in our words: its own schema is no package's, and is asked where it is
  // at hand (test/conformance/openlineage).
  const FORMATS = {
    'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
    uri: /^[a-z][a-z0-9+.-]*:\S+$/i,
    uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[1-9a-f][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  };
  const facets = {
    type: 'object',
    additionalProperties: {
      type: 'object',
      required: ['_producer', '_schemaURL'],
      properties: {
        _producer: { type: 'string', format: 'uri' },
        _schemaURL: { type: 'string', format: 'uri' },
      },
    },
  };
  const named = (more: object) => ({
    type: 'object',
    required: ['namespace', 'name'],
    properties: { namespace: { type: 'string' }, name: { type: 'string' }, facets, ...more },
  });
  const run = {
    type: 'object',
    required: ['runId'],
    properties: { runId: { type: 'string', format: 'uuid' } },
  };
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, formats: FORMATS });
  ajv.addSchema(JSON.parse(readFileSync(new URL('../../spec/lineage.schema.json', import.meta.url), 'utf8')));
  const isRunEvent = ajv.compile({
    type: 'object',
    required: ['eventTime', 'producer', 'schemaURL', 'run', 'job', 'eventType'],
    properties: {
      eventTime: { type: 'string', format: 'date-time' },
      producer: { type: 'string', format: 'uri' },
      schemaURL: { const: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent' },
      eventType: { enum: ['START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER'] },
      run: { ...run, properties: { ...run.properties, facets } },
      job: named({}),
      inputs: { type: 'array', items: named({ inputFacets: facets }) },
      outputs: { type: 'array', items: named({ outputFacets: facets }) },
    },
  });
  const isParentFacet = ajv.compile({
    type: 'object',
    required: ['run', 'job', 'root'],
    properties: {
      run,
      job: named({}),
      root: { type: 'object', required: ['run', 'job'], properties: { run, job: named({}) } },
    },
  });
  const areOwnFacets = ajv.compile({ $ref: 'urn:writ:spec:lineage.schema.json' });
  const typesOf = (entry: LineageEntry) => openLineageEvents(entry, source).map(({ eventType }) => eventType);
  const facetsOf = ({ run: its }: JsonObject = {}) => (its as JsonObject).facets as JsonObject;

  it('has run events of the right shape for every execution, also of hostile ones', () => {
    const events = ALL.flatMap((entry) => openLineageEvents(entry, source));
    for (const event of events) {
      expect(isRunEvent(event), JSON.stringify([isRunEvent.errors, event])).toBe(true);
      expect(areOwnFacets(facetsOf(event)), JSON.stringify(areOwnFacets.errors)).toBe(true);
      const { parent: facet } = facetsOf(event);
      if (facet !== undefined) expect(isParentFacet(facet), JSON.stringify(facet)).toBe(true);
    }
    expect(events.length).toBeGreaterThan(ALL.length);
  });

  it('refuses what is no run event', () => {
    const [event] = openLineageEvents(parent, source);
    expect(isRunEvent({ ...event, eventType: 'PERMIT' })).toBe(false);
    expect(isRunEvent({ ...event, run: { runId: 'x' } })).toBe(false);
    expect(
      areOwnFacets({ writ_decision: { ...(facetsOf(event).writ_decision as JsonObject), args: 1 } }),
    ).toBe(false);
  });

  it('starts what was permitted, and ends it as it ended', () => {
    expect(typesOf(parent)).toEqual(['START', 'COMPLETE']);
    expect(typesOf(running)).toEqual(['START']);
    expect(typesOf(denied)).toEqual(['ABORT']);
    expect(typesOf(terminated)).toEqual(['START', 'ABORT']);
    expect(typesOf(unknown)).toEqual(['START', 'OTHER']);
    expect(typesOf(entryOf({ end: { status: 'failed' } }))).toEqual(['START', 'FAIL']);
  });

  it('names the parent run and job, and the root', () => {
    const facet = facetsOf(openLineageEvents(child, source)[0]).parent;
    const job = { namespace: 'spiffe://test.local/gateway/fs', name: 'mcp://fs/tools/read_file' };
    expect(facet).toMatchObject({ run: { runId: idOf(1) }, job, root: { run: { runId: idOf(1) }, job } });
    expect(facetsOf(openLineageEvents(orphan, source)[0])).not.toHaveProperty('parent');
    expect(facetsOf(openLineageEvents(orphan, source)[0]).writ_decision).toMatchObject({ parent: idOf(99) });
  });
});

describe('OpenTelemetry', () => {
  const traces = otelTraces(ALL, source);
  const spans = traces.resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans: list }) => list),
  );
  const spanOf = (entry: LineageEntry) => spans[ALL.filter(({ log }) => log === 'fs').indexOf(entry)];

  it('is read and written again as it was by the stock serializer', () => {
    // The serializer writes what the SDK has; what it writes of our spans must be our spans, with its defaults added.
    for (const { resource, scopeSpans } of traces.resourceSpans) {
      for (const { scope, spans: list } of scopeSpans) {
        const shared = { attributes: plain(resource.attributes) };
        const bytes = JsonTraceSerializer.serializeRequest(
          list.map((span) => readableOf(span, shared, scope)) as unknown as Parameters<
            typeof JsonTraceSerializer.serializeRequest
          >[0],
        );
        const written: unknown = JSON.parse(Buffer.from(bytes ?? []).toString('utf8'));
        expect(written).toMatchObject({ resourceSpans: [{ resource, scopeSpans: [{ scope }] }] });
        const { resourceSpans } = written as typeof traces;
        const stock = resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
        expect(stock).toHaveLength(list.length);
        for (const [index, span] of list.entries()) expect(stock[index]).toMatchObject(span);
      }
    }
  });

  it('has ids of the right length, and none of zeros', () => {
    for (const { traceId, spanId, parentSpanId, links, startTimeUnixNano, endTimeUnixNano } of spans) {
      for (const id of [traceId, ...links.map((link) => link.traceId)])
        expect(id).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
      for (const id of [spanId, parentSpanId ?? spanId, ...links.map((link) => link.spanId)]) {
        expect(id).toMatch(/^(?!0+$)[0-9a-f]{16}$/);
      }
      expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
    }
    const zero = '00000000-0000-0000-0000-000000000000';
    const [nil] = otelTraces([entryOf({ id: zero })], source).resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
    expect(`${nil?.traceId} ${nil?.spanId}`).toMatch(/^(?!0+ )[0-9a-f]{32} (?!0+$)[0-9a-f]{16}$/);
  });

  it('puts a lineage into one trace, and links a child to its parent in another log', () => {
    const [db] = traces.resourceSpans.filter(
      ({ resource }) => plain(resource.attributes)['writ.log'] === 'db',
    );
    const [span] = db?.scopeSpans[0]?.spans ?? [];
    const root = spanOf(parent);
    expect(span).toMatchObject({
      traceId: idOf(1).replaceAll('-', ''),
      parentSpanId: root?.spanId,
      links: [{ traceId: root?.traceId, spanId: root?.spanId }],
    });
    expect(plain(span?.links[0]?.attributes ?? [])).toEqual({
      'writ.link': 'parent execution',
      'writ.execution.id': idOf(1),
      'writ.log': 'fs',
    });
  });

  it('says how it ended', () => {
    expect(spanOf(parent)?.status).toEqual({ code: 1 });
    expect(spanOf(denied)?.status).toEqual({ code: 2, message: 'policy.forbidden' });
    expect(spanOf(terminated)?.status).toEqual({ code: 2, message: 'revocation.revoked' });
    expect(spanOf(running)?.status).toEqual({ code: 0 });
    expect(spanOf(unknown)?.status).toEqual({ code: 0 });
    expect(spanOf(parent)).toMatchObject({
      startTimeUnixNano: '1700000000123000000',
      endTimeUnixNano: '1700000000456000000',
    });
  });
});

describe('W3C PROV-JSON', () => {
  const document = new ProvDocument('test.local');
  for (const entry of ALL) document.add(entry);
  const json = JSON.parse(JSON.stringify(document)) as Record<string, Record<string, Record<string, string>>>;

  it('says who acted for whom, under what, after what', () => {
    const relations = (kind: string) => Object.values(json[kind] ?? {});
    const of = (number: number) => `execution:${idOf(number)}`;
    expect(relations('wasInformedBy')).toContainEqual({ 'prov:informed': of(2), 'prov:informant': of(1) });
    const user = 'agent:spiffe%3A%2F%2Ftest%2Elocal%2Fuser%2Fada';
    const writer = 'agent:spiffe%3A%2F%2Ftest%2Elocal%2Fagent%2Fwriter';
    expect(relations('actedOnBehalfOf')).toContainEqual({
      'prov:delegate': 'key:key-one',
      'prov:responsible': user,
      'prov:activity': of(2),
    });
    expect(relations('actedOnBehalfOf')).toContainEqual({
      'prov:delegate': writer,
      'prov:responsible': 'key:key-one',
      'prov:activity': of(2),
    });
    expect(relations('wasAssociatedWith')).toContainEqual({ 'prov:activity': of(2), 'prov:agent': writer });
    expect(relations('used')).toContainEqual({ 'prov:activity': of(2), 'prov:entity': 'token:leaf-token' });
    expect(relations('wasDerivedFrom')).toContainEqual({
      'prov:generatedEntity': 'token:leaf-token',
      'prov:usedEntity': 'token:root-token',
    });
    expect(relations('wasGeneratedBy')).toContainEqual(expect.objectContaining({ 'prov:activity': of(2) }));
    expect(relations('wasGeneratedBy')).not.toContainEqual(
      expect.objectContaining({ 'prov:activity': of(4) }),
    );
    expect(json.agent?.[user]?.['prov:type']).toEqual({ $: 'prov:Person', type: 'prov:QUALIFIED_NAME' });
  });

  it('names only what it describes, and each name under a prefix it declares', () => {
    const described = new Set(
      ['entity', 'activity', 'agent'].flatMap((kind) => Object.keys(json[kind] ?? {})),
    );
    const prefixes = Object.keys(json.prefix ?? {});
    for (const name of described) {
      expect(name).toMatch(/^[a-z]+:[A-Za-z0-9_~%-]*$/);
      expect(prefixes).toContain(name.split(':')[0]);
    }
    const relations = Object.entries(json).filter(
      ([kind]) => !['prefix', 'entity', 'activity', 'agent'].includes(kind),
    );
    expect(relations.length).toBe(7);
    for (const [, records] of relations) {
      for (const record of Object.values(records)) {
        for (const [role, name] of Object.entries(record)) {
          if (role !== 'prov:time') expect(described).toContain(name);
        }
      }
    }
  });

  it('describes a thing once, however often it is met', () => {
    const again = new ProvDocument('test.local');
    for (const entry of [...ALL, ...ALL]) again.add(entry);
    expect(JSON.stringify(again)).toBe(JSON.stringify(document));
  });
});

function plain(attributes: readonly OtlpAttribute[]): Record<string, string | number | string[]> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      if ('stringValue' in value) return [key, value.stringValue];
      if ('intValue' in value) return [key, value.intValue];
      return [key, value.arrayValue.values.map((item) => ('stringValue' in item ? item.stringValue : ''))];
    }),
  );
}

/** A span as the OpenTelemetry SDK holds it. */
function readableOf(span: OtlpSpan, resource: object, instrumentationScope: object) {
  const hr = (nanos: string): [number, number] => [
    Number(BigInt(nanos) / 1_000_000_000n),
    Number(BigInt(nanos) % 1_000_000_000n),
  ];
  const context = (traceId: string, spanId: string) => ({ traceId, spanId, traceFlags: 1 });
  const links = span.links.map(({ traceId, spanId, attributes }) => ({
    context: context(traceId, spanId),
    attributes: plain(attributes),
  }));
  return {
    name: span.name,
    // The API's kinds begin at 0, where the wire's 0 is none.
    kind: 0,
    spanContext: () => context(span.traceId, span.spanId),
    ...(span.parentSpanId === undefined
      ? {}
      : { parentSpanContext: context(span.traceId, span.parentSpanId) }),
    startTime: hr(span.startTimeUnixNano),
    endTime: hr(span.endTimeUnixNano),
    status: span.status,
    attributes: plain(span.attributes),
    links,
    events: [],
    duration: [0, 0],
    ended: true,
    resource,
    instrumentationScope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
