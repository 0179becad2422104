import { expect, it } from 'vitest';
import { contentDigestOf } from './content-digest.ts';
import { actionOfRequest, callOfRequest } from './forwarded-request.ts';

const REQUEST = { point: 'web', method: 'GET', host: 'api.example.test', target: '/a?b' };
const DIGEST = `sha256:${'0f'.repeat(32)}` as const;

it('a request is a call of its method, with everything it is about', () => {
  const contentDigest = contentDigestOf(DIGEST);
  expect(callOfRequest({ ...REQUEST, contentDigest })).toEqual({
    tool: 'http://web/GET',
    args: { host: 'api.example.test', path: '/a', query: 'b', content_digest: DIGEST },
  });
});

it.each([
  ['method', { method: 'get' }],
  ['method', { method: 'GET /x' }],
  ['method', { method: '' }],
  ['host', { host: '' }],
  ['host', { host: 'API.example.test' }],
  ['host', { host: 'a.test, b.test' }],
  ['host', { host: 'user@a.test' }],
  ['host', { host: 'a.test.' }],
  ['host', { host: 'a..test' }],
  ['host', { host: 'a.test:0' }],
  ['target', { target: '/a, /b' }],
  ['digest', { contentDigest: '' }],
  ['digest', { contentDigest: 'sha-512=:AAAA:' }],
  ['digest', { contentDigest: `${contentDigestOf(DIGEST)}, ${contentDigestOf(DIGEST)}` }],
  ['digest', { contentDigest: contentDigestOf(DIGEST).replace('=:', ':') }],
])(
  'with another %s than can be read one way it is refused, and none of it is recorded: %j',
  (_what, change) => {
    const action = actionOfRequest({ ...REQUEST, ...change }, 'e30');
    expect(action).toMatchObject({ tool: 'http://web/-', args: {}, refusal: { code: 'request.malformed' } });
  },
);

it.each(['[2001:db8::1]:8443', 'a.test:8443', 'localhost', 'my_service'])('%s is a host', (host) => {
  expect(callOfRequest({ ...REQUEST, host })).toMatchObject({ args: { host } });
});
