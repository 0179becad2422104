import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { checkConstraint, parseConstraint } from './index.ts';

function accepts(root: string, value: JsonValue): boolean {
  const constraint = parseConstraint({ constraint_type: 'path_containment', root });
  if (isDenial(constraint)) throw new Error(constraint.detail);
  return checkConstraint(constraint, value);
}

describe('path_containment', () => {
  it.each([
    '/srv',
    '/srv/',
    '/srv/a',
    '//srv//a/',
    '/./srv/./a/.',
    '/srv/...',
    '/srv/..a',
    '/srv/a b\nc',
    '/srv/%2e%2e',
  ])('accepts %j beneath /srv', (path) => {
    expect(accepts('/srv', path)).toBe(true);
  });

  it.each<JsonValue>([
    '/',
    '/etc/passwd',
    '/srvx',
    '/srv/..',
    '/srv/../etc/passwd',
    '/srv/a/../b',
    '/../srv/a',
    'srv/a',
    './srv/a',
    '../srv',
    '',
    '~/a',
    'file:///srv/a',
    '/srv/a\0.txt',
    '/srv\0/../etc',
    '/SRV/a',
    '\\srv\\a',
    '/srv\\..\\etc',
    ' /srv/a',
    '/srv/\ud800',
    ['/srv/a'],
    { path: '/srv/a' },
    null,
    0,
  ])('refuses %j beneath /srv', (path) => {
    expect(accepts('/srv', path)).toBe(false);
  });

  it('bounds what it reads', () => {
    expect(accepts('/srv', `/srv/${'a/'.repeat(2000)}`)).toBe(true);
    expect(accepts('/srv', `/srv/${'a/'.repeat(3000)}`)).toBe(false);
  });

  it('holds everything absolute beneath /', () => {
    expect(accepts('/', '/etc')).toBe(true);
    expect(accepts('//', '/')).toBe(true);
    expect(accepts('/', 'etc')).toBe(false);
    expect(accepts('/', '/a/..')).toBe(false);
  });
});
