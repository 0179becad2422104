import type { JsonObject } from '../../../src/codec/index.ts';
import { type EntryChange, entryOf, HOSTILE, idOf } from '../../../src/lineage/entry.test-support.ts';
import { type LineageEntry, openLineageEvents } from '../../../src/lineage/index.ts';
import type { OfficialName } from './official-schemas.ts';

const ENDS: Readonly<Record<string, EntryChange>> = {
  'a run that goes on': { end: null },
  'a run that succeeded': {},
  'a run that failed': { end: { status: 'failed' } },
  'a run that was terminated': { end: { status: 'terminated', code: 'revocation.revoked' } },
  'a run whose end nobody knows': { end: { status: 'unknown' } },
  'a denial': { decision: { verdict: 'deny', code: 'policy.forbidden' } },
  'a denial of what was no request': { decision: { verdict: 'deny', code: 'request.malformed', tool: '' } },
};

const top = entryOf({ id: idOf(1) });
const middle = entryOf({ id: idOf(2), parent: idOf(1), log: 'db' });
const PARENTS: Readonly<Record<string, EntryChange>> = {
  'without a parent': { id: idOf(10) },
  'under its root': { id: idOf(11), parent: idOf(1) },
  'under a parent that has one': { id: idOf(12), parent: idOf(2), root: idOf(1) },
  'under a root that no log has': { id: idOf(13), parent: idOf(1), root: idOf(98) },
  'under a parent that no log has': { id: idOf(14), parent: idOf(99), root: idOf(98) },
};

export interface NamedEvent {
  readonly name: string;
  readonly event: JsonObject;
}

/** Every event of every end under every kind of parent, as it is written; and those of hostile names. */
export function everyEvent(): NamedEvent[] {
  const named = Object.entries(ENDS).flatMap(([end, change]) =>
    Object.entries(PARENTS).map(([place, under]) => ({
      name: `${end} ${place}`,
      entry: entryOf({ ...change, ...under }),
    })),
  );
  const hostile = HOSTILE.map((text) => ({
    name: `hostile ${JSON.stringify(text)}`,
    entry: entryOf({ id: text, parent: text, decision: { tool: text, agent: text, audiences: [text] } }),
  }));
  const known = [top, middle, ...hostile.map(({ entry }) => entry)];
  return [...named, ...hostile].flatMap(({ name, entry }) =>
    eventsOf(entry, known).map((event) => ({ name: `${String(event.eventType)} of ${name}`, event })),
  );
}

/** An event with a parent and a root, of an end. */
export function wholeEvent(): JsonObject {
  const [, end] = eventsOf(entryOf({ id: idOf(12), parent: idOf(2), root: idOf(1) }), [top, middle]);
  if (end === undefined) throw new TypeError('it has no end');
  return end;
}

function eventsOf(entry: LineageEntry, known: readonly LineageEntry[]): JsonObject[] {
  const find = (id: string) => known.find(({ executionId }) => executionId === id);
  const source = { domain: 'test.local', producer: 'urn:writ:version:0.1.0', find };
  return JSON.parse(JSON.stringify(openLineageEvents(entry, source))) as JsonObject[];
}

/** Where an event is broken, and what stands there instead (undefined: nothing does). */
export interface Breach {
  readonly path: readonly (string | number)[];
  readonly value?: string | number | JsonObject;
}

/** What each of the published schemas refuses. */
export const BREACHES: Readonly<Record<OfficialName, readonly Breach[]>> = {
  'OpenLineage.json': [
    { path: ['eventType'], value: 'PERMIT' },
    { path: ['eventTime'] },
    { path: ['eventTime'], value: '2026-11-27 at noon' },
    { path: ['producer'] },
    { path: ['producer'], value: 'no URI' },
    { path: ['schemaURL'] },
    { path: ['run'] },
    { path: ['run', 'runId'] },
    { path: ['run', 'runId'], value: '42' },
    { path: ['run', 'facets', 'parent', '_producer'] },
    { path: ['run', 'facets', 'writ_decision', '_schemaURL'] },
    { path: ['run', 'facets', 'other'], value: 'no object' },
    { path: ['job'] },
    { path: ['job', 'namespace'] },
    { path: ['job', 'name'], value: 7 },
    { path: ['job', 'facets', 'jobType', '_schemaURL'] },
    { path: ['inputs'], value: {} },
    { path: ['inputs', 0, 'name'] },
    { path: ['outputs', 0, 'namespace'] },
  ],
  'ParentRunFacet.json': [
    { path: ['run', 'facets', 'parent', 'run'] },
    { path: ['run', 'facets', 'parent', 'run', 'runId'], value: '42' },
    { path: ['run', 'facets', 'parent', 'job'] },
    { path: ['run', 'facets', 'parent', 'job', 'name'] },
    { path: ['run', 'facets', 'parent', 'root', 'run'] },
    { path: ['run', 'facets', 'parent', 'root', 'job', 'namespace'] },
  ],
  'JobTypeJobFacet.json': [
    { path: ['job', 'facets', 'jobType', 'processingType'] },
    { path: ['job', 'facets', 'jobType', 'integration'] },
    { path: ['job', 'facets', 'jobType', 'jobType'], value: 7 },
  ],
};

export function broken({ path, value }: Breach): JsonObject {
  const event = wholeEvent();
  let holder: unknown = event;
  for (const step of path.slice(0, -1)) holder = Reflect.get(Object(holder), step);
  const last = path.at(-1) ?? '';
  if (typeof holder !== 'object' || holder === null) throw new TypeError(`no ${path.join('/')}`);
  if (value === undefined && !Reflect.has(holder, last)) throw new TypeError(`no ${path.join('/')}`);
  if (value === undefined) Reflect.deleteProperty(holder, last);
  else Reflect.set(holder, last, value);
  return event;
}

export function describeBreach({ path, value }: Breach): string {
  return `${path.join('/')} ${value === undefined ? 'missing' : JSON.stringify(value)}`;
}
