import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { canonicalize, isJsonObject, type JsonLimits, parseJson, parseJsonObject } from './index.ts';

function problemOf(text: string | Uint8Array, limits?: JsonLimits): string | undefined {
  const value = parseJson(text, 'request.malformed', limits);
  return isDenial(value) ? value.detail : undefined;
}

describe('parseJson', () => {
  it('parses what is unambiguous', () => {
    const text = ' {"a":[1,-0.5,1e20,true,null,"\\u00e9\\n"],"b":{"a":{},"c":[]}} ';
    expect(parseJson(text, 'request.malformed')).toEqual(JSON.parse(text));
    expect(parseJson(Buffer.from(text), 'request.malformed')).toEqual(JSON.parse(text));
  });

  it.each([
    ['{"a":1,"a":1}'],
    ['{"a":1,"\\u0061":2}'],
    ['[{"x":{"a":1,"b":2,"a":3}}]'],
    ['{"a":{"b":[{}]},"c":1,"a":2}'],
    ['{"":1,"":2}'],
    ['{"a\\"b":1,"a\\u0022b":2}'],
  ])('refuses the duplicate member of %s', (text) => {
    expect(problemOf(text)).toMatch(/duplicate member/);
  });

  it.each([['{"a":{"a":{"a":1}}}'], ['[{"a":1},{"a":1}]'], ['{"a":"a","b":["a","a"]}']])(
    'does not take %s for a duplicate',
    (text) => {
      expect(problemOf(text)).toBeUndefined();
    },
  );

  it.each([['9007199254740993'], ['1.00000000000000001'], ['1e400'], ['-1e-400'], ['0.1000000000000000055']])(
    'refuses the number %s wherever it stands',
    (number) => {
      for (const text of [number, `[${number}]`, `{"a":[{"b":${number}}]}`]) {
        expect(problemOf(text)).toMatch(/not admissible/);
      }
    },
  );

  it('refuses lone surrogates in names and values, and accepts pairs', () => {
    expect(problemOf('"\\ud800"')).toMatch(/surrogate/);
    expect(problemOf('{"\\udc00x":1}')).toMatch(/surrogate/);
    expect(problemOf('"\ud800"')).toMatch(/surrogate/);
    expect(problemOf('"\\ud83d\\ude00"')).toBeUndefined();
  });

  it('refuses __proto__ as a member, in any spelling, and leaves prototypes alone', () => {
    expect(problemOf('{"__proto__":{"admin":true}}')).toMatch(/__proto__/);
    expect(problemOf('[{"\\u005f_proto__":1}]')).toMatch(/__proto__/);
    expect(problemOf('{"a":"__proto__"}')).toBeUndefined();
    expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false);
  });

  it.each([
    [''],
    ['{'],
    ['{"a":1,}'],
    ["{'a':1}"],
    ['01'],
    ['NaN'],
    ['1 2'],
    ['\ufeff{}'],
    ['"\u0000"'],
    ['{}\0'],
  ])('refuses %j, which is not JSON', (text) => {
    expect(problemOf(text)).toBe('not JSON');
  });

  it('refuses bytes that are not UTF-8 and a byte order mark', () => {
    expect(problemOf(Buffer.from([0x22, 0xff, 0x22]))).toBe('not UTF-8');
    expect(problemOf(Buffer.from([0x22, 0xc0, 0xaf, 0x22]))).toBe('not UTF-8');
    expect(problemOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe('not UTF-8');
    expect(problemOf(Buffer.from('\ufeff{}'))).toBe('not JSON');
  });

  it('bounds size and depth, however deep the text', () => {
    expect(problemOf('"éé"', { maxBytes: 6 })).toBeUndefined();
    expect(problemOf('"éé"', { maxBytes: 5 })).toMatch(/exceeds 5/);
    expect(problemOf('[[]]', { maxDepth: 2 })).toBeUndefined();
    expect(problemOf('[[{}]]', { maxDepth: 2 })).toMatch(/deeper than 2/);
    expect(problemOf('['.repeat(500_000) + ']'.repeat(500_000))).toBeDefined();
    expect(problemOf(`${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`)).toBeDefined();
  });

  it('refuses a fraction or exponent in members that must be integers as written', () => {
    const limits = { integerMembers: new Set(['exp']) };
    for (const number of ['1.0', '1e3', '10E-1', '-1.0']) {
      expect(problemOf(`{"exp":${number}}`, limits)).toMatch(/exp is not written as an integer/);
      expect(problemOf(`{"a":{"exp":${number}},"b":[${number}]}`, limits)).toBeUndefined();
      expect(problemOf(`{"a":{"x":1},"\\u0065xp":${number}}`, limits)).toMatch(/as an integer/);
    }
    for (const text of ['{"exp":17}', '{"exp":-17}', '{"exp":"1.0"}', '{"exp":[1.5]}', '[1.0]', '1.0']) {
      expect(problemOf(text, limits)).toBeUndefined();
    }
  });

  it('never quotes the input', () => {
    const secret = 'hunter2';
    for (const text of [`{"${secret}":1,"${secret}":2}`, `${secret}`, `["${secret}",9007199254740993]`]) {
      expect(problemOf(text)).not.toContain(secret);
    }
  });

  it('accepts what JCS writes and gives the same value back', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'));
        const text = canonicalize(JSON.parse(JSON.stringify(value)));
        expect(parseJson(text, 'request.malformed', { maxDepth: 1000 })).toEqual(JSON.parse(text));
      }),
    );
  });

  it('survives 10,000 hostile texts', () => {
    const token = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '"',
        '\\',
        '"a"',
        '"a":',
        '1',
        '-',
        '1e9',
        'null',
        '\\u0061',
        '\ud800',
        ' ',
      ],
    );
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join('')),
      fc.uint8Array({ maxLength: 64 }),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        const value = parseJson(text, 'request.malformed');
        if (!isDenial(value)) canonicalize(value);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('parseJsonObject', () => {
  it('accepts objects alone', () => {
    expect(parseJsonObject('{}', 'request.malformed')).toEqual({});
    for (const text of ['[]', 'null', '"a"', '1', '']) {
      expect(isDenial(parseJsonObject(text, 'artifact.malformed'))).toBe(true);
    }
  });
});

describe('isJsonObject', () => {
  it('tells objects from arrays, null and class instances', () => {
    expect([{}, Object.create(null)].every(isJsonObject)).toBe(true);
    expect([[], null, new Date(), new Map(), 'a', undefined].some(isJsonObject)).toBe(false);
  });
});

describe('texts that would take far more memory than they have bytes', () => {
  it('are refused before the engine builds them', () => {
    const parse = vi.spyOn(JSON, 'parse');
    const deep = '['.repeat(900_000);
    for (const input of [deep, Buffer.from(deep), `[${'0,'.repeat(4_500_000)}0]`]) {
      const refused = parseJson(input, 'request.malformed', { maxBytes: 16 * 1024 * 1024 });
      expect(isDenial(refused) && refused.detail).toBe('too many values, or nested too deep');
    }
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });
});
