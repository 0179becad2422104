import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDenial } from '../../denial/index.ts';
import { parseRequestTarget } from './request-target.ts';

/** Made of what makes paths ambiguous, with enough of what does not for many to be accepted. */
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('/a', '/b', '/', 'a', '-', '%20', '%C3%A9') },
  fc.constantFrom('.', '..', '/.', '/..', '//', '%2e', '%2E', '%2F', '%2f', '%5C', '\\', '%61', '%00', '%25'),
  fc.constantFrom(
    ';',
    '%3B',
    '%FF',
    '%c3%a9',
    '%C2%80',
    '%',
    '%4',
    '#',
    ' ',
    '\t',
    '\0',
    'é',
    '?',
    '?x=1',
    '%3F',
  ),
);
const target = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
  fc.webUrl({ withQueryParameters: true }).map((url) => url.replace(/^\w+:\/\/[^/?]+/, '')),
  fc.string({ unit: 'binary' }),
);

describe('an accepted request target', () => {
  it('is what every normalisation of RFC 3986 leaves as it is', () => {
    let accepted = 0;
    fc.assert(
      fc.property(target, (text) => {
        const parsed = parseRequestTarget(text);
        if (isDenial(parsed)) return;
        accepted += 1;
        const { path, query } = parsed;
        expect(query === '' ? path : `${path}?${query}`).toBe(text);
        expect(new URL(`http://host${path}`).pathname).toBe(path);
        const decoded = decodeURIComponent(path);
        // Decoded, it has no segment that it had not before, none that means another place, and nothing left to decode.
        expect(decoded.split('/')).toHaveLength(path.split('/').length);
        expect(
          decoded
            .slice(1)
            .split('/')
            .slice(0, -1)
            .every((segment) => !['', '.', '..'].includes(segment)),
        ).toBe(true);
        expect(decoded).not.toMatch(/[%;\\?#\p{Cc}]|\/\.{0,2}\//u);
        // Written anew, each character in its one way, it is the same.
        expect(encodeURI(decoded).replaceAll('%5B', '[').replaceAll('%5D', ']')).toBe(
          path.replaceAll('%5B', '[').replaceAll('%5D', ']'),
        );
      }),
      { seed: 4, numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});

describe('a request target', () => {
  it.each([
    ['/', '/', ''],
    ['/a/b/', '/a/b/', ''],
    ['/a%20b/%C3%A9', '/a%20b/%C3%A9', ''],
    ['/a?b=%2e&c[]=/../', '/a', 'b=%2e&c[]=/../'],
  ])('%s is accepted as it is', (text, path, query) => {
    expect(parseRequestTarget(text)).toEqual({ path, query });
  });

  it.each([
    '',
    'a',
    '*',
    '/a?',
    'http://host/a',
    '/.',
    '/a/..',
    '/%7Ea',
    '/%e2%82%ac',
    '/a?b#c',
    `/${'a'.repeat(8192)}`,
  ])('%s is refused', (text) => {
    expect(parseRequestTarget(text)).toMatchObject({ code: 'request.malformed' });
  });
});
