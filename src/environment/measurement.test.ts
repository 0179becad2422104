import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { type Component, toolComponents } from './component.ts';
import { measurementOf, parseMeasurement, serializeMeasurement, statementDigest } from './measurement.ts';

const digest = `sha256:${'0a'.repeat(32)}` as const;
const node: Component = { kind: 'node', name: 'v24.21.0', digest };
const tool: Component = { kind: 'tool', name: 'mcp://fs/tools/read', digest };

const component: fc.Arbitrary<Component> = fc.record({
  kind: fc.constantFrom('node', 'tool', 'upstream', 'lockfile'),
  name: fc.string({ minLength: 1, maxLength: 12, unit: 'binary' }),
  digest: fc.nat(9).map((digit): `sha256:${string}` => `sha256:${String(digit).repeat(64)}`),
});
const components = fc.uniqueArray(component, {
  selector: ({ kind, name }) => `${kind}/${name}`,
  maxLength: 8,
});

test('the digest is SHA-256 over the tag and the JCS of the sorted components', () => {
  const text = `writ/environment@v1\n[{"digest":"${digest}","kind":"node","name":"v24.21.0"},{"digest":"${digest}","kind":"tool","name":"mcp://fs/tools/read"}]`;
  const expected = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  expect(measurementOf([tool, node], 'self', 0).digest).toBe(expected);
});

test('the order of components changes nothing', () => {
  fc.assert(
    fc.property(components, fc.nat(), (list, by) => {
      const at = list.length === 0 ? 0 : by % list.length;
      const shuffled = [...list.slice(at), ...list.slice(0, at)].reverse();
      expect(measurementOf(shuffled, 'self', 1)).toEqual(measurementOf(list, 'self', 1));
    }),
  );
});

test('different components have different digests; time and assurance do not enter', () => {
  fc.assert(
    fc.property(components, components, (left, right) => {
      const [one, other] = [measurementOf(left, 'self', 1), measurementOf(right, 'tee', 2)];
      const same = JSON.stringify(one.components) === JSON.stringify(other.components);
      expect(one.digest === other.digest).toBe(same);
    }),
  );
});

test('another boot is another statement of the same environment; what is no boot is refused', () => {
  const [boot, other] = ['0', '1'].map((one) => `${one.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`);
  const [first, second, none] = [boot, other, undefined].map((id) => measurementOf([node], 'self', 1, id));
  for (const one of [second, none]) {
    expect(one?.digest).toBe(first?.digest);
    expect(one && statementDigest(one)).not.toBe(first && statementDigest(first));
  }
  const bytes = serializeMeasurement(measurementOf([node], 'self', 1, boot));
  expect(parseMeasurement(bytes)).toEqual(first);
  const text = Buffer.from(bytes).toString();
  for (const wrong of [
    text.replace(`"${boot}"`, '1'),
    text.replace('-0000-', '-000G-'),
    text.replace('@v2', '@v1'),
  ]) {
    expect(parseMeasurement(Buffer.from(wrong))).toMatchObject({ code: 'environment.unmeasured' });
  }
  expect(() => measurementOf([node], 'self', 1, 'yesterday')).toThrow(TypeError);
});

test('a measurement is immutable and keeps no hold on what it was made of', () => {
  const given = { ...node };
  const measurement = measurementOf([given], 'self', 1);
  given.name = 'changed';
  expect(measurement.components).toEqual([node]);
  expect(Object.isFrozen(measurement.components)).toBe(true);
  expect(Object.isFrozen(measurement.components[0])).toBe(true);
});

test.each<[string, Component[]]>([
  ['named twice', [node, { ...node, digest: `sha256:${'0b'.repeat(32)}` }]],
  ['without a name', [{ ...node, name: '' }]],
  ['of a kind with a slash', [{ ...node, kind: 'node/v24' }]],
  ['with a lone surrogate', [{ ...node, name: '\ud800' }]],
  ['with a name without end', [{ ...node, name: 'a'.repeat(1025) }]],
])('a component %s is our own mistake and throws', (_name, list) => {
  expect(() => measurementOf(list, 'self', 1)).toThrow(TypeError);
});

test('a time that is none throws', () => {
  for (const time of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    expect(() => measurementOf([node], 'self', time)).toThrow(TypeError);
  }
});

test('a measurement is read back as it was written', () => {
  fc.assert(
    fc.property(components, fc.constantFrom('self', 'tpm'), fc.integer({ min: 0 }), (list, assurance, at) => {
      const measurement = measurementOf(list, assurance, at);
      expect(parseMeasurement(serializeMeasurement(measurement))).toEqual(measurement);
    }),
  );
});

test('hostile bytes are refused with environment.unmeasured or are a measurement; the parser never throws', () => {
  const valid = { type: 'writ/measurement@v1', assurance: 'self', measuredAt: 1, components: [node, tool] };
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .record({ member: fc.constantFrom(...Object.keys(valid), 'extra'), value: fc.jsonValue() })
      .map(({ member, value }) => Buffer.from(JSON.stringify({ ...valid, [member]: value }))),
    fc
      .record({ member: fc.constantFrom('kind', 'name', 'digest', 'extra'), value: fc.jsonValue() })
      .map(({ member, value }) =>
        Buffer.from(JSON.stringify({ ...valid, components: [tool, { ...node, [member]: value }] })),
      ),
  );
  fc.assert(
    fc.property(hostile, (bytes) => {
      const measurement = parseMeasurement(bytes);
      if (isDenial(measurement)) expect(measurement.code).toBe('environment.unmeasured');
      else expect(parseMeasurement(serializeMeasurement(measurement))).toEqual(measurement);
    }),
    { numRuns: 10_000 },
  );
});

test('tools become components by their id; an id that cannot be a name is left out', () => {
  const definitions = new Map([
    [tool.name, digest],
    ['', digest],
    ['a'.repeat(1025), digest],
  ]);
  expect(toolComponents(definitions)).toEqual([tool]);
});
