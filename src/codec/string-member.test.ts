import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findStringMember } from './index.ts';

describe('findStringMember', () => {
  it.each([
    ['{"jti":"a"}', 'a'],
    [' { "x" : {"jti":"no"}, "y":["jti","no"], "jti" : "a" } ', 'a'],
    ['{"x":"jti","jti":"a"}', 'a'],
    ['{"\\u006at\\u0069":"\\u0061"}', 'a'],
    ['{"x":"}","y":"\\"","jti":"a"}', 'a'],
    ['{"jti":""}', ''],
    ['{"jti":"a","jti":"b"}', 'a'],
  ])('finds it in %s', (text, expected) => {
    expect(findStringMember(text, 'jti')).toBe(expected);
  });

  it.each([
    ...[
      '',
      'x',
      '[]',
      '["jti","a"]',
      '"jti"',
      '{}',
      '{"jti":1}',
      '{"jti":null}',
      '{"jti":["a"]}',
      '{"jti"}',
      '{"jti":',
    ],
    ...[
      '{"jti":"a',
      '{"jti',
      '{"JTI":"a"}',
      '{"x":{"jti":"a"}}',
      '{}{"jti":"a"}',
      `{"jti":"${'a'.repeat(3000)}"}`,
    ],
    ...['{"jti":"\\u00"}', '{"x":"y\\'],
  ])('finds none in %s', (text) => {
    expect(findStringMember(text, 'jti')).toBeUndefined();
  });

  it('agrees with a parser wherever a parser and it both answer', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('jti', 'a', 'b'), fc.jsonValue()), (object) => {
        const { jti } = object;
        const expected = typeof jti === 'string' && JSON.stringify(jti).length < 2000 ? jti : undefined;
        expect(findStringMember(JSON.stringify(object, undefined, 1), 'jti')).toBe(expected);
      }),
    );
  });

  it('takes linear time on hostile text', () => {
    const texts = [
      '{'.repeat(200_000),
      '{"'.repeat(100_000),
      `{${'"a":{'.repeat(50_000)}`,
      `{"a":"${'\\'.repeat(200_000)}`,
    ];
    for (const text of texts) expect(findStringMember(text, 'jti')).toBeUndefined();
  });
});
