import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type Action, MAX_ARGUMENT_BYTES, requestOf } from './request.ts';

const ask = (change: Partial<Record<keyof Action, unknown>>) =>
  requestOf({ tool: 't', args: {}, presentation: undefined, ...change } as Action);
const codeOf = (change: Partial<Record<keyof Action, unknown>>) => {
  const request = ask(change);
  return isDenial(request) ? request.code : 'request';
};

describe('requestOf', () => {
  it.each<[string, Partial<Record<keyof Action, unknown>>, string]>([
    ['no tool', { tool: '' }, 'request.malformed'],
    ['a tool that is no string', { tool: ['t'] }, 'request.malformed'],
    ['half a character', { tool: 'a\udc00' }, 'request.malformed'],
    ['a tool of 1024 characters', { tool: 'x'.repeat(1024) }, 'request'],
    ['a tool of 1025 characters', { tool: 'x'.repeat(1025) }, 'request.too_large'],
    ['arguments as long as they may be', { args: { a: 'x'.repeat(MAX_ARGUMENT_BYTES - 8) } }, 'request'],
    ['arguments one longer', { args: { a: 'x'.repeat(MAX_ARGUMENT_BYTES - 7) } }, 'request.too_large'],
    ['a number that is none', { args: { a: Number.NaN } }, 'request.malformed'],
    ['half a character in an argument', { args: { a: '\ud800' } }, 'request.malformed'],
    ['a function', { args: { a: () => 1 } }, 'request.malformed'],
    ['a member that is not there', { args: { a: undefined } }, 'request.malformed'],
    ['a date', { args: { a: new Date(0) } }, 'request.malformed'],
    ['bytes', { args: { a: new Uint8Array(2) } }, 'request.malformed'],
    ['an object that canonicalizes to another', { args: { a: { toJSON: () => 1 } } }, 'request.malformed'],
    [
      'a class of its own',
      {
        args: new (class {
          path = '/a';
        })(),
      },
      'request.malformed',
    ],
    ['nothing', { args: null }, 'request.malformed'],
    ['text', { args: 'text' }, 'request.malformed'],
    ['a list', { args: [] }, 'request.malformed'],
  ])('%s', (_name, change, code) => {
    expect(codeOf(change)).toBe(code);
  });

  it('freezes all of the arguments, also below what was frozen before', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), fc.boolean(), (args, frozen) => {
        if (frozen) Object.freeze(args);
        const request = ask({ args });
        if (isDenial(request)) return;
        expect(isFrozenThrough(args)).toBe(true);
        expect(request.argsJcs).toBe(canonicalize(args as JsonObject));
      }),
    );
  });

  it('is bound to tool, arguments and proof', () => {
    const digestOf = (change: Partial<Action>) => {
      const request = ask(change);
      return isDenial(request) ? '' : request.digest;
    };
    const presentation = (aat_pop: string) => ({ aat_chain: ['c'], aat_pop });
    const digests = [
      digestOf({}),
      digestOf({ tool: 'u' }),
      digestOf({ args: { a: 1 } }),
      digestOf({ presentation: presentation('p') }),
      digestOf({ presentation: presentation('q') }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    expect(digestOf({ args: { a: 1, b: 2 } })).toBe(digestOf({ args: { b: 2, a: 1 } }));
  });
});

function isFrozenThrough(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozenThrough);
}
