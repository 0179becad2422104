import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  DETECTORS_TEXT,
  DETECTORS_VERSION,
  detectSecret,
  isSecretName,
  MAX_SECRET_START,
} from './detectors.ts';

/** Made up, and put together here so that no scanner takes this file for a leak. */
const SECRETS: readonly (readonly [string, string])[] = [
  ['private-key', `-----BEGIN ${'RSA PRIVATE'} KEY-----\nMIIEpAIBAAKCAQEA`],
  ['private-key', `-----BEGIN ${'PRIVATE'} KEY-----`],
  ['private-key', `AGE-SECRET-KEY-${'1QQQQ'}`],
  ['jwt', `eyJ${'hbGciOiJIUzI1NiJ9'}.eyJzdWIiOiIxIn0.abc`],
  ['aws-key', `AKIA${'IOSFODNN7ABCDEFG'}`],
  ['github-token', `ghp_${'a1B2'.repeat(9)}`],
  ['github-token', `github_pat_${'a1B2'.repeat(9)}`],
  ['gitlab-token', `glpat-${'a1B2'.repeat(5)}`],
  ['slack-token', `xoxb-${'1234567890'}-abc`],
  ['google-key', `AIza${'a1B2c'.repeat(7)}`],
  ['stripe-key', `sk_live_${'a1B2c3D4e5'}`],
  ['model-api-key', `sk-proj-${'aB3'.repeat(10)}`],
  ['registry-token', `npm_${'a1B2c3'.repeat(6)}`],
  ['service-token', `hvs.${'a1B2c3'.repeat(6)}`],
  ['url-credentials', 'see postgres://bob:hunter2@db.example/x'],
  ['url-credentials', `https://${'x'.repeat(20)}@git.example/x`],
  ['authorization', 'Bearer abcdefgh'],
  ['authorization', 'Authorization: whatever'],
  ['assignment', 'the password is hunter2'],
  ['assignment', 'PASSWORD=hunter2'],
  ['assignment', '{"api_key":"abc"}'],
  ['assignment', String.raw`{\"secret\": \"abc\"}`],
  ['assignment', '<password>abc</password>'],
  ['command-option', 'mysql --password hunter2'],
  ['payment-card', 'pay with 4111 1111 1111 1111 today'],
  ['payment-card', '5500005555555559'],
  ['random', 'deadbeef'.repeat(4)],
  ['random', 'q7Rk2LmX9vTz4BnC8sWd'],
];

const HARMLESS = [
  'the quick brown fox jumps over the lazy dog',
  '/home/someone/projects/writ/src/policy/redaction/detectors.ts',
  'https://example.com/a/b?c=d',
  'ssh://git@example.com/x',
  '01a20653-bc64-7144-a855-a542a4297717',
  '2026-11-23T02:54:40.869Z',
  '4111111111111112',
  'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzZ1',
  'a-very-long-name-in-kebab-case-without-digits',
];

describe('detectSecret', () => {
  it.each(SECRETS)('knows a %s: %s', (id, text) => {
    expect(detectSecret(text)).toBe(id);
    expect(detectSecret(`before ${text} after`)).toBe(id);
  });

  it.each(SECRETS)('knows a %s where the text is cut off behind its start: %s', (id, text) => {
    const filler = 'word '.repeat(50);
    expect(detectSecret(`${filler}${text} ${filler}`.slice(0, filler.length + MAX_SECRET_START))).toBe(id);
  });

  it.each(HARMLESS)('leaves alone: %s', (text) => {
    expect(detectSecret(text)).toBeUndefined();
  });

  it('takes time in proportion to the text, whatever it repeats', () => {
    const worst = ['a', '://', 'a:', '-----BEGIN ', '--a-', '1 ', 'token ', 'eyJ', '\\"', ' '].map((unit) =>
      unit.repeat(200_000 / unit.length),
    );
    // Each of these is 70 times as long as what a preview looks at: what is quadratic would not end in time.
    for (const text of worst) expect(() => detectSecret(text)).not.toThrow();
  });
});

describe('isSecretName', () => {
  it.each([
    'password',
    'userPassword',
    'API-Key',
    'x_api_key',
    'Authorization',
    'auth',
    'sessionId',
    'PIN',
    'dsn',
  ])('knows %s', (name) => expect(isSecretName(name)).toBe(true));

  it.each(['path', 'content', 'author', 'key', 'monkey', 'opinion', 'spinning', 'session'])(
    'leaves alone: %s',
    (name) => expect(isSecretName(name)).toBe(false),
  );
});

it('what is detected has a version: whoever changes the table counts it up, here too', () => {
  const digest = createHash('sha256').update(DETECTORS_TEXT).digest('hex');
  expect([DETECTORS_VERSION, digest.slice(0, 16)]).toMatchInlineSnapshot(`
    [
      1,
      "5dd07f1b14a4c552",
    ]
  `);
});
