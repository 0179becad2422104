import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../codec/index.ts';
import { detectSecret, isSecretName } from './detectors.ts';
import { parsePointer } from './pointer.ts';
import { PREVIEW_LIMITS, previewOf } from './preview.ts';
import type { Show } from './rules.ts';

const pointers = (...texts: string[]) => texts.map((text) => parsePointer(text) ?? []);
const preview = (value: JsonObject, show: Show = 'preview', secret: string[] = []) =>
  previewOf(value, { show, secret: pointers(...secret) });

describe('previewOf', () => {
  it('shows nothing unless a rule says so', () => {
    expect(preview({ path: '/a' }, 'digest')).toBeUndefined();
  });

  it('shows values by pointer, and names what it withholds and why', () => {
    const value = {
      path: '/a',
      count: 3,
      nested: { list: [true, null], 'a/b': 'x' },
      password: 'hunter2',
      header: 'Bearer abcdefgh',
      card: 4111111111111111,
      note: 'mine',
    };
    expect(preview(value, 'preview', ['/note'])).toEqual({
      detectors: 1,
      shown: {
        '/count': 3,
        '/nested/a~1b': 'x',
        '/nested/list/0': true,
        '/nested/list/1': null,
        '/path': '/a',
      },
      withheld: {
        '/card': 'payment-card',
        '/header': 'authorization',
        '/note': 'secret',
        '/password': 'name',
      },
    });
  });

  it('shows named members and no others, and of those no secret', () => {
    const value = { users: [{ name: 'ann', token: 'x' }, { name: 'Bearer abcdefgh' }], path: '/a', other: 1 };
    expect(preview(value, pointers('/users/*/name', '/path', '/absent'))).toEqual({
      detectors: 1,
      shown: { '/users/0/name': 'ann', '/path': '/a' },
      withheld: { '/users/1/name': 'authorization' },
    });
    expect(preview(value, pointers('/users'), ['/users/*/name'])?.shown).toEqual({});
    expect(preview({ tokenCount: 7 }, pointers('/tokenCount'))?.shown).toEqual({ '/tokenCount': 7 });
  });

  it.each([
    ['its value is of another type', { credentials: 'hunter2' }, ['/credentials/user']],
    ['it is in a list', { credentials: ['hunter2'] }, ['/credentials/user']],
    ['its name is in other letters', { Note: 'hunter2' }, ['/note']],
  ])('shows no member that a rule calls secret where %s', (_, value, secret) => {
    expect(JSON.stringify(preview(value, 'preview', secret))).not.toContain('hunter2');
  });

  it('shows nothing at all where a detector throws', () => {
    const detectSecretThrowing = () => {
      throw new Error('a defect');
    };
    const rule = { show: 'preview', secret: [] } as const;
    expect(
      previewOf({ path: '/a' }, rule, { detectSecret: detectSecretThrowing, isSecretName }),
    ).toBeUndefined();
    expect(
      previewOf({ path: '/a' }, rule, { detectSecret, isSecretName: detectSecretThrowing }),
    ).toBeUndefined();
  });

  it.each([
    ['within it', `gh\u200bp_${'a1B2'.repeat(9)}`],
    ['before it', `${'\u200b'.repeat(300)}ghp_${'a1B2'.repeat(9)}`],
    ['so much of them that nobody looks to its end', `ghp_${'\u200b'.repeat(5000)}${'a1B2'.repeat(9)}`],
    ['behind what would be shown', `${'x '.repeat(120)}ghp_${'a1B2'.repeat(9)}`],
  ])('finds a secret with invisible or other characters %s', (_, text) => {
    const shown = preview({ text });
    expect(shown?.shown).toEqual({});
    expect(Object.keys(shown?.withheld ?? {})).toEqual(['/text']);
  });

  it('has no character that a terminal obeys or that reorders text, and says that it left some out', () => {
    expect(preview({ text: 'a\u001b[31m\u202eb\u2028c\ud800' })).toEqual({
      detectors: 1,
      shown: { '/text': 'a[31mbc\ufffd' },
      truncated: true,
    });
  });

  it.each([
    ['a secret', `ghp_${'a1B2'.repeat(9)}`],
    ['a character that hides', 'a\u200bb'],
    ['no bound', 'x'.repeat(200)],
  ])('does not repeat a name with %s', (_, name) => {
    expect(preview({ [name]: 'y' })).toEqual({ detectors: 1, shown: {}, truncated: true });
  });

  it('is bounded, whatever it is made of', () => {
    for (const value of [
      { text: 'x '.repeat(100_000) },
      { list: Array.from({ length: 100_000 }, () => '\u0800 '.repeat(100)) },
      Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`m${index}`, index])),
      JSON.parse(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`) as JsonObject,
      { list: Array.from({ length: 100_000 }, () => 'Bearer abcdefgh') },
    ]) {
      const shown = preview(value);
      expect(shown?.truncated).toBe(true);
      expect(Buffer.byteLength(JSON.stringify(shown))).toBeLessThanOrEqual(PREVIEW_LIMITS.maxBytes);
      for (const text of Object.values(shown?.shown ?? {}))
        expect(String(text).length).toBeLessThanOrEqual(PREVIEW_LIMITS.maxCharacters);
    }
  });

  it('is the same for the same value in whatever order, bounded, and fit for a receipt', () => {
    const values = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }));
    fc.assert(
      fc.property(values, (json) => {
        const value = json as JsonObject;
        const shown = preview(value);
        expect(preview(Object.fromEntries(Object.entries(value).reverse()))).toEqual(shown);
        const text = JSON.stringify(shown);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(PREVIEW_LIMITS.maxBytes);
        expect(text.isWellFormed()).toBe(true);
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
