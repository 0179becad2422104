import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../codec/index.ts';
import { inputTypeOf, inputTypeText, quoteCedarString } from './input-type.ts';
import { bundleOf } from './samples.test-support.ts';

/** The Cedar type of one argument's schema, `undefined` when policies can't see it. */
function typeOf(schema: JsonValue, more: JsonObject = {}): string | undefined {
  const type = inputTypeOf({ type: 'object', properties: { a: schema }, required: ['a'], ...more });
  const text = inputTypeText(type);
  return text === '{}' ? undefined : text.slice('{ "a"'.length, -2);
}

describe('the Cedar type of a JSON Schema', () => {
  it.each<[string, JsonValue, string | undefined]>([
    ['string', { type: 'string', format: 'uri', pattern: '.*' }, ': String'],
    ['enum of strings', { enum: ['x', 'y'] }, ': String'],
    ['constant', { const: 'x' }, ': String'],
    ['enum of integers', { enum: [1, 2] }, ': Long'],
    ['mixed enum', { enum: ['x', 1] }, undefined],
    ['integer', { type: 'integer' }, ': Long'],
    ['number, always optional', { type: 'number' }, '?: decimal'],
    ['numbers', { type: 'array', items: { type: 'number' } }, '?: Set<decimal>'],
    ['boolean', { type: 'boolean' }, ': Bool'],
    ['array', { type: 'array', items: { type: 'array', items: { type: 'string' } } }, ': Set<Set<String>>'],
    ['untyped array', { type: 'array' }, undefined],
    ['tuple', { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'string' } }, undefined],
    ['old tuple', { type: 'array', items: [{ type: 'string' }] }, undefined],
    ['array of nullables', { type: 'array', items: { type: ['string', 'null'] } }, undefined],
    [
      'object',
      {
        type: 'object',
        properties: { y: { type: 'string' }, x: { type: 'integer' }, z: {} },
        required: ['x'],
      },
      ': { "x": Long, "y"?: String }',
    ],
    ['free-form object', { type: 'object' }, undefined],
    ['map', { type: 'object', additionalProperties: { type: 'string' } }, undefined],
    ['nullable', { type: ['null', 'integer'] }, '?: Long'],
    ['nullable by anyOf', { anyOf: [{ type: 'string' }, { type: 'null' }], default: null }, '?: String'],
    ['union', { type: ['string', 'integer'] }, undefined],
    ['anyOf', { anyOf: [{ type: 'string' }, { type: 'integer' }] }, undefined],
    ['allOf', { allOf: [{ type: 'string' }] }, undefined],
    ['conditional', { type: 'object', properties: {}, if: {} }, undefined],
    ['unknown type', { type: 'text' }, undefined],
    ['nothing', {}, undefined],
    ['true', true, undefined],
    ['remote reference', { $ref: 'https://example.com/schema' }, undefined],
    ['dangling reference', { $ref: '#/$defs/none' }, undefined],
    ['inherited definition', { $ref: '#/$defs/toString' }, undefined],
  ])('%s', (_, schema, expected) => {
    expect(typeOf(schema)).toBe(expected);
  });

  it('follows local references', () => {
    const $defs = { e: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } };
    expect(typeOf({ $ref: '#/$defs/e' }, { $defs })).toBe(': { "name": String }');
    expect(typeOf({ anyOf: [{ $ref: '#/$defs/e' }, { type: 'null' }] }, { $defs })).toBe(
      '?: { "name": String }',
    );
    expect(typeOf({ $ref: '#/$defs/e', properties: {} }, { $defs })).toBe(undefined);
  });

  it('stops at recursion, depth and fan-out', () => {
    const tree = { type: 'object', properties: { left: { $ref: '#/$defs/tree' }, n: { type: 'integer' } } };
    expect(typeOf({ $ref: '#/$defs/tree' }, { $defs: { tree } })).toBe(': { "n"?: Long }');
    expect(typeOf({ $ref: '#/$defs/a' }, { $defs: { a: { $ref: '#/$defs/a' } } })).toBe(undefined);

    let deep: JsonObject = { type: 'string' };
    for (let level = 0; level < 5000; level += 1) deep = { type: 'array', items: deep };
    expect(typeOf(deep)).toBe(undefined);

    const $defs: Record<string, JsonValue> = { d0: { type: 'string' } };
    for (let level = 1; level < 6; level += 1) {
      const properties = Object.fromEntries(
        Array.from({ length: 50 }, (_, n) => [`p${n}`, { $ref: `#/$defs/d${level - 1}` }]),
      );
      $defs[`d${level}`] = { type: 'object', properties };
    }
    expect((typeOf({ $ref: '#/$defs/d5' }, { $defs }) ?? '').length).toBeLessThan(20_000);
  });

  it('leaves out names that are Cedar escapes, too long, or not text', () => {
    const names = ['__entity', '__extn', '__expr', '__proto__', 'x'.repeat(257), '\udfff'];
    const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
    expect(inputTypeOf({ type: 'object', properties }).members.size).toBe(0);
  });

  it('ignores schemas that are not of objects', () => {
    for (const schema of [
      undefined,
      null,
      5,
      'x',
      [],
      {},
      { type: 'array' },
      { type: 'object' },
      { type: 'object', properties: [] },
    ]) {
      expect(inputTypeOf(schema).members.size).toBe(0);
    }
  });

  it('gives valid Cedar for any name', () => {
    const names = [
      '',
      ' ',
      'a"b',
      'a\\',
      '\n',
      '\u0000',
      'é',
      '😀',
      '"}; action "x',
      '//',
      'in',
      'constructor',
      '\u202e',
      '\u007f',
    ];
    const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
    const definition = { inputSchema: { type: 'object', properties } };
    const bundle = bundleOf('permit (principal, action, resource);', [
      { server: 's', id: 'mcp://s/tools/"; // 😀', definition },
    ]);
    expect(bundle.tools.values().next().value?.input.members.size).toBe(names.length);
  });

  it('quotes strings so that nothing ends them early', () => {
    expect(quoteCedarString('a"\\\u0000é😀')).toBe('"a\\u{22}\\u{5c}\\u{0}\\u{e9}\\u{1f600}"');
  });
});
