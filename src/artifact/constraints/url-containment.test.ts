import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { checkConstraint, parseConstraint } from './index.ts';

function accepts(members: JsonObject, value: JsonValue): boolean {
  const constraint = parseConstraint({ constraint_type: 'url_containment', ...members });
  if (isDenial(constraint)) throw new Error(constraint.detail);
  return checkConstraint(constraint, value);
}

const api = { scheme: 'https', host: 'api.example', path: '/v1' };

describe('url_containment', () => {
  it.each([
    'https://api.example/v1',
    'https://api.example/v1/',
    'https://api.example/v1/a/b?q=../..&r=http://evil/#f',
    'HTTPS://API.Example:443/v1/a',
    'https://api.example/v1/a%20b/c;p=1/%25-off',
    'https://api.example/v1//a',
    'https://api.example/v1/...',
  ])('accepts %j', (url) => {
    expect(accepts(api, url)).toBe(true);
  });

  it.each<JsonValue>([
    // Another origin.
    'http://api.example/v1',
    'https://api.example:8443/v1',
    'https://api.example./v1',
    'https://api.example.evil/v1',
    'https://evil/api.example/v1',
    'https://xapi.example/v1',
    // User information, and what parsers take for it.
    'https://user@api.example/v1',
    'https://user:pw@api.example/v1',
    'https://api.example@evil/v1',
    'https://evil#@api.example/v1',
    'https://evil?@api.example/v1',
    'https://api.example#@evil/v1',
    'https://evil\\@api.example/v1',
    'https://api.example\\@evil/v1',
    // Not the text that is parsed.
    ' https://api.example/v1',
    'https://api.example/v1 ',
    'https://api.example/v1\n',
    'https://api.exa\tmple/v1',
    'ht\ntps://api.example/v1',
    'https://api.example/v1\0',
    'https:api.example/v1',
    'https:/api.example/v1',
    'https:///api.example/v1',
    'https:\\\\api.example/v1',
    '//api.example/v1',
    '/v1',
    'https://api%2eexample/v1',
    'https://ａpi.example/v1',
    'https://api。example/v1',
    'https://api.example:/v1',
    'https://api.example:0443/v1',
    'https://api.example:443443/v1',
    'https://api.example:-443/v1',
    // Another path, now or after someone decodes it.
    'https://api.example',
    'https://api.example/',
    'https://api.example/v10',
    'https://api.example/V1',
    'https://api.example/%76%31',
    'https://api.example//v1',
    'https://api.example/v1/..',
    'https://api.example/v1/../admin',
    'https://api.example/v1/./a',
    'https://api.example/v1/..;/admin',
    'https://api.example/v1/..;a=b/admin',
    'https://api.example/v1/%2e%2e/admin',
    'https://api.example/v1/.%2E/admin',
    'https://api.example/v1/%252e%252e/admin',
    'https://api.example/v1/%25252e./admin',
    'https://api.example/v1/..%2fadmin',
    'https://api.example/v1/a%2F..%2Fadmin',
    'https://api.example/v1/a%5c..%5cadmin',
    'https://api.example/v1\\..\\admin',
    'https://api.example/v1/a%00',
    'https://api.example/v1/a%0d%0aHost:evil',
    'https://api.example/v1/a%',
    'https://api.example/v1/a%zz',
    'https://api.example/v1/%c0%ae%c0%ae/admin',
    'https://api.example/v1/%ff',
    'https://api.example/v1/é',
    'https://api.example/v1?a=\\b',
    // Not a URL.
    'javascript:alert(1)',
    'file:///v1',
    '',
    null,
    443,
    ['https://api.example/v1'],
  ])('refuses %j', (url) => {
    expect(accepts(api, url)).toBe(false);
  });

  it('compares hosts only in the form WHATWG parsing gives them', () => {
    const v4 = { scheme: 'http', host: '127.0.0.1' };
    expect(accepts(v4, 'http://127.0.0.1/')).toBe(true);
    for (const host of [
      '127.1',
      '0x7f.0.0.1',
      '2130706433',
      '0177.0.0.1',
      '127.0.0.1.',
      '[::ffff:127.0.0.1]',
    ]) {
      expect(accepts(v4, `http://${host}/`), host).toBe(false);
    }
    const v6 = { scheme: 'http', host: '[::1]' };
    expect(accepts(v6, 'http://[::1]:80/a')).toBe(true);
    for (const host of ['[0:0:0:0:0:0:0:1]', '[::0:1]', '[::1%25eth0]', '::1']) {
      expect(accepts(v6, `http://${host}/`), host).toBe(false);
    }
  });

  it('bounds what it reads', () => {
    expect(accepts(api, `https://api.example/v1/${'a'.repeat(8000)}`)).toBe(true);
    expect(accepts(api, `https://api.example/v1/${'a'.repeat(8192)}`)).toBe(false);
  });

  it('takes a default port for the port it stands for', () => {
    expect(accepts({ scheme: 'http', host: 'h', port: 80 }, 'http://h/')).toBe(true);
    expect(accepts({ scheme: 'http', host: 'h' }, 'http://h:80')).toBe(true);
    expect(accepts({ scheme: 'ws', host: 'h' }, 'ws://h:443/')).toBe(false);
    expect(accepts({ scheme: 'http', host: 'h', port: 8080 }, 'http://h/')).toBe(false);
    expect(accepts({ scheme: 'http', host: 'h', port: 8080 }, 'http://h:8080/a')).toBe(true);
  });

  it('accepts only what WHATWG parsing also places at that origin, beneath that path', () => {
    const piece = fc.constantFrom(
      'https://',
      'http://',
      'api.example',
      'evil',
      '@',
      ':',
      '443',
      '/',
      '/v1',
      '..',
      '.',
      '%2e',
      '%2f',
      '\\',
      '?',
      '#',
      ';',
      '[',
      ']',
      '\t',
      ' ',
      'a',
      '%',
      '25',
      '\u3002',
    );
    const text = fc
      .tuple(
        fc.constantFrom('', 'https://', 'https://api.example', 'https://api.example/v1/'),
        fc.array(piece, { maxLength: 6 }),
      )
      .map(([start, pieces]) => start + pieces.join(''));
    let accepted = 0;
    fc.assert(
      fc.property(text, (url) => {
        if (!accepts(api, url)) return;
        accepted += 1;
        const parsed = new URL(url);
        expect([parsed.protocol, parsed.host, parsed.username, parsed.password]).toEqual([
          'https:',
          'api.example',
          '',
          '',
        ]);
        const decoded = decodeURIComponent(parsed.pathname);
        expect(`${decoded}/`.startsWith('/v1/')).toBe(true);
        expect(decoded.split(/[/\\]/)).not.toContain('..');
      }),
      { numRuns: 10_000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});
