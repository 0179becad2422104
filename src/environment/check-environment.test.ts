import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ASSURANCES } from './assurance.ts';
import type { EnvironmentBinding } from './binding.ts';
import { checkEnvironment } from './check-environment.ts';
import { checkToolDefinition } from './check-tool-definition.ts';
import type { Component } from './component.ts';
import { measurementOf } from './measurement.ts';

const digest = `sha256:${'0a'.repeat(32)}` as const;
const other = `sha256:${'0b'.repeat(32)}` as const;
const node: Component = { kind: 'node', name: 'v24.21.0', digest };
const tool: Component = { kind: 'tool', name: 'mcp://fs/tools/read', digest };
const now = 1_700_000_000;
const measurement = measurementOf([node, tool], 'supervisor', now - 60);

function codeOf(
  bindings: readonly EnvironmentBinding[],
  measured: typeof measurement | undefined = measurement,
) {
  return checkEnvironment(bindings, measured, now)?.code;
}

test('no binding asks nothing, not even for a measurement', () => {
  expect(checkEnvironment([], undefined, now)).toBeUndefined();
});

test('a binding, even an empty one, asks for a measurement', () => {
  expect(checkEnvironment([{}], undefined, now)?.code).toBe('environment.unmeasured');
  expect(codeOf([{}])).toBeUndefined();
});

test.each<[string, EnvironmentBinding, string | undefined]>([
  ['the digest, among others', { digests: [other, measurement.digest] }, undefined],
  ['other digests', { digests: [other] }, 'environment.mismatch'],
  ['no digest at all', { digests: [] }, 'environment.mismatch'],
  ['measured components', { components: [tool, node] }, undefined],
  ['no component in particular', { components: [] }, undefined],
  ['a component of another digest', { components: [{ ...node, digest: other }] }, 'environment.mismatch'],
  ['a component of another name', { components: [{ ...node, name: 'v20' }] }, 'environment.mismatch'],
  ['a component of another kind', { components: [{ ...node, kind: 'upstream' }] }, 'environment.mismatch'],
  ['a tool of another definition', { components: [{ ...tool, digest: other }] }, 'environment.tool_changed'],
  [
    'a tool that is not there',
    { components: [{ ...tool, name: 'mcp://fs/tools/x' }] },
    'environment.tool_changed',
  ],
  ['the assurance there is', { assurance: 'supervisor' }, undefined],
  ['less assurance', { assurance: 'self' }, undefined],
  ['more assurance', { assurance: 'tpm' }, 'environment.assurance_too_low'],
  ['an age just reached', { maxAgeSeconds: 60 }, undefined],
  ['an age just passed', { maxAgeSeconds: 59 }, 'environment.stale'],
  ['an age that is no number', { maxAgeSeconds: Number.NaN }, 'environment.stale'],
])('bound to %s', (_name, binding, code) => {
  expect(codeOf([binding])).toBe(code);
  expect(codeOf([{}, binding, {}])).toBe(code);
});

test('a measurement from the future is stale, but for a clock a little off', () => {
  const ahead = (seconds: number) => measurementOf([node], 'self', now + seconds);
  expect(codeOf([{ maxAgeSeconds: 60 }], ahead(5))).toBeUndefined();
  expect(codeOf([{ maxAgeSeconds: 60 }], ahead(5.5))).toBe('environment.stale');
});

test('a clock that has no time makes every bounded age stale', () => {
  expect(checkEnvironment([{ maxAgeSeconds: 60 }], measurement, Number.NaN)?.code).toBe('environment.stale');
});

test('assurance is ordered self < supervisor < tpm < tee, but a demand of a supervisor is met by one alone', () => {
  for (const [actualRank, actual] of ASSURANCES.entries()) {
    for (const [requiredRank, required] of ASSURANCES.entries()) {
      const denial = checkEnvironment([{ assurance: required }], measurementOf([], actual, now), now);
      const isMet = required === 'supervisor' ? actual === 'supervisor' : actualRank >= requiredRank;
      expect(denial === undefined, `${actual} for ${required}`).toBe(isMet);
    }
  }
});

test('a kind with a slash cannot borrow the label of another component', () => {
  const measured = measurementOf([{ kind: 'tool', name: 'a/b', digest }], 'self', now);
  expect(codeOf([{ components: [{ kind: 'tool/a', name: 'b', digest }] }], measured)).toBe(
    'environment.mismatch',
  );
});

test('the denial names the component and no more', () => {
  const denial = checkEnvironment([{ components: [{ ...node, digest: other }] }], measurement, now);
  expect(denial?.detail).toBe('component node/v24.21.0 has another digest');
});

const component = fc.record({
  kind: fc.constantFrom('node', 'tool'),
  name: fc.constantFrom('v24.21.0', 'mcp://fs/tools/read', 'x'),
  digest: fc.constantFrom(digest, other),
});
const binding: fc.Arbitrary<EnvironmentBinding> = fc.record(
  {
    digests: fc.array(fc.constantFrom(measurement.digest, other), { maxLength: 2 }),
    components: fc.array(component, { maxLength: 3 }),
    assurance: fc.constantFrom(...ASSURANCES),
    maxAgeSeconds: fc.constantFrom(1, 60, 3600),
  },
  { requiredKeys: [] },
);

test('bindings are a conjunction: all hold exactly when each one does', () => {
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 4 }), (bindings) => {
      const each = bindings.every((one) => checkEnvironment([one], measurement, now) === undefined);
      expect(checkEnvironment(bindings, measurement, now) === undefined).toBe(each);
    }),
    { numRuns: 1000 },
  );
});

test('the order of bindings and within their lists changes nothing, the detail included', () => {
  const reverse = ({ digests, components, ...rest }: EnvironmentBinding): EnvironmentBinding => ({
    ...rest,
    ...(digests ? { digests: [...digests].reverse() } : {}),
    ...(components ? { components: [...components].reverse() } : {}),
  });
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 4 }), (bindings) => {
      const turned = [...bindings].reverse().map(reverse);
      expect(checkEnvironment(turned, measurement, now)).toEqual(
        checkEnvironment(bindings, measurement, now),
      );
    }),
    { numRuns: 1000 },
  );
});

test('a tool is the one that was pinned, or it is denied', () => {
  expect(checkToolDefinition('t', digest, digest)).toBeUndefined();
  expect(checkToolDefinition('t', digest, other)?.code).toBe('environment.tool_changed');
  expect(checkToolDefinition('t', digest, undefined)?.code).toBe('environment.unmeasured');
  expect(checkToolDefinition('t', undefined, other)).toBeUndefined();
  expect(checkToolDefinition('t', undefined, undefined)).toBeUndefined();
});
