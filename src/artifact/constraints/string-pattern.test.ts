import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { checkConstraint, parseConstraint, subsumes } from './index.ts';

function patternOf(pattern: string) {
  const constraint = parseConstraint({ constraint_type: 'string_pattern', pattern });
  if (isDenial(constraint)) throw new Error(constraint.detail);
  return constraint;
}

const accepts = (pattern: string, value: JsonValue) => checkConstraint(patternOf(pattern), value);

/** The definition, as slowly as it reads. */
function matches(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*')) {
    return matches(pattern.slice(1), text) || (text !== '' && matches(pattern, text.slice(1)));
  }
  const escaped = pattern.startsWith('\\');
  const literal = pattern.charAt(escaped ? 1 : 0);
  return text.startsWith(literal) && matches(pattern.slice(escaped ? 2 : 1), text.slice(1));
}

describe('string_pattern', () => {
  it.each([
    ['', ''],
    ['*', ''],
    ['*', 'a/b\nc'],
    ['a*', 'a'],
    ['a*b', 'ab'],
    ['a*b*c', 'axxbyyc'],
    ['*ab*ab', 'ababab'],
    ['\\*\\\\', '*\\'],
    ['*.ts', '.ts'],
    ['a.c', 'a.c'],
    ['[a-z]?', '[a-z]?'],
    ['*😀*', 'a😀b'],
  ])('%j accepts %j', (pattern, text) => {
    expect(accepts(pattern, text)).toBe(true);
  });

  it.each<readonly [string, JsonValue]>([
    ['', 'a'],
    ['a', 'A'],
    ['a*', 'ba'],
    ['ab*ba', 'aba'],
    ['a*b*b', 'ab'],
    ['\\*', 'a'],
    ['a.c', 'abc'],
    ['[a-z]?', 'a'],
    ['*', 1],
    ['*', null],
    ['*', ['a']],
    ['*', '\ud800'],
    ['é', 'e\u0301'],
  ])('%j refuses %j', (pattern, value) => {
    expect(accepts(pattern, value)).toBe(false);
  });

  it('bounds what it reads', () => {
    expect(accepts('*', 'a'.repeat(16_384))).toBe(true);
    expect(accepts('*', 'a'.repeat(16_385))).toBe(false);
  });

  const symbol = fc.constantFrom('a', 'b', '*', '*', '\\*', '\\\\');
  const pattern = fc.array(symbol, { maxLength: 7 }).map((symbols) => symbols.join(''));
  const text = fc
    .array(fc.constantFrom('a', 'b', '*', '\\'), { maxLength: 8 })
    .map((units) => units.join(''));

  it('agrees with its definition', () => {
    fc.assert(
      fc.property(pattern, text, (glob, value) => accepts(glob, value) === matches(glob, value)),
      { numRuns: 10_000 },
    );
  });

  it('subsumes exactly where a star of the child, replaced by any texts, still matches the parent', () => {
    const fresh = 'z';
    fc.assert(
      fc.property(pattern, pattern, fc.array(text, { maxLength: 3 }), (parent, child, runs) => {
        const fill = (filler: (index: number) => string) => {
          let index = 0;
          return child.replace(/\\(.)|\*/g, (_, escaped?: string) => escaped ?? filler(index++));
        };
        const verdict = subsumes(patternOf(parent), patternOf(child));
        expect(verdict).toBe(
          matches(
            parent,
            fill(() => fresh),
          ),
        );
        if (verdict)
          expect(
            accepts(
              parent,
              fill((index) => runs[index] ?? ''),
            ),
          ).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  it('takes linear time where backtracking takes exponential and naive search quadratic', () => {
    const long = 'a'.repeat(16_384);
    const started = performance.now();
    for (let round = 0; round < 20; round += 1) {
      expect(accepts(`${'*a'.repeat(500)}*b`, long)).toBe(false);
      expect(accepts(`*b${'a'.repeat(1000)}*`, long)).toBe(false);
      expect(accepts(`*${'a'.repeat(1000)}b*`, long)).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
