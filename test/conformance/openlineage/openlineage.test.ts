import { describe, expect, it } from 'vitest';
import { tellSkipped } from '../../support/debian-packages.ts';
import { SHARED_VECTORS } from '../shared-vectors.ts';
import { BREACHES, broken, describeBreach, everyEvent, wholeEvent } from './events.ts';
import { OFFICIAL, OFFICIAL_NAMES, OfficialSchemas } from './official-schemas.ts';

const schemas = OfficialSchemas.read(SHARED_VECTORS);
const faultsOf = (event: unknown) => schemas?.faultsOf(event) ?? [];

describe('broken events', () => {
  it('are not what is exported', () => {
    for (const breach of Object.values(BREACHES).flat()) expect(broken(breach)).not.toEqual(wholeEvent());
  });
});

describe.skipIf(schemas === undefined)('the published schema of OpenLineage 2-0-2', () => {
  it('is the one whose digest is known', () => {
    expect(schemas?.digests.get('OpenLineage.json')).toBe(OFFICIAL['OpenLineage.json'].sha256);
  });

  it.each(everyEvent())('accepts $name', ({ event }) => {
    expect(faultsOf(event)).toEqual([]);
  });

  it('has seen every type of event that is written', () => {
    const types = new Set(everyEvent().map(({ event }) => event.eventType));
    expect([...types].sort()).toEqual(['ABORT', 'COMPLETE', 'FAIL', 'OTHER', 'START']);
  });
});

for (const name of OFFICIAL_NAMES) {
  const isThere = schemas?.digests.has(name) === true;
  if (!isThere) tellSkipped(`OpenLineage’s ${name}`, `put ${OFFICIAL[name].id} into ../shared/vectors`);
  describe.skipIf(!isThere)(`OpenLineage’s ${name}`, () => {
    const cases = BREACHES[name].map((breach) => ({ title: describeBreach(breach), breach }));
    it.each(cases)('refuses $title', ({ breach }) => {
      expect(faultsOf(broken(breach)).filter((fault) => fault.startsWith(`${name}: `))).not.toEqual([]);
    });
  });
}
