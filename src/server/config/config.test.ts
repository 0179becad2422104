import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configKeys, variableOf } from './describe-keys.ts';
import { configurationGuide, DEFAULT_CONFIG, readConfig, readSecret } from './index.ts';

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-config-'));
  file = join(folder, 'writ.yaml');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(yaml: string, environment = {}) {
  writeFileSync(file, yaml, { mode: 0o600 });
  return readConfig(file, environment);
}

test('without a file, or with an empty one, everything has its default and TCP is not listened on', () => {
  expect(readConfig(join(folder, 'none.yaml'), {})).toMatchObject({
    config: DEFAULT_CONFIG,
    file: undefined,
  });
  expect(read('')).toMatchObject({ config: DEFAULT_CONFIG, file });
  expect(read('daemon:\n')).toMatchObject({ config: DEFAULT_CONFIG });
  expect(DEFAULT_CONFIG.listen).toBeUndefined();
  expect(DEFAULT_CONFIG.oauth.grants).toEqual([]);
});

test('an unknown key is refused with its place and the nearest name', () => {
  expect(read('daemon:\n  maxStalenesSeconds: 5\n')).toEqual([
    {
      ...{ key: 'daemon.maxStalenesSeconds', reason: 'there is no such key' },
      ...{ hint: 'did you mean maxStalenessSeconds?', line: 2, column: 3 },
    },
  ]);
  expect(read('deamon: {}\n')).toMatchObject([{ key: 'deamon', hint: 'did you mean daemon?' }]);
  // A key of another section.
  expect(read('daemon: { requestsPerSecond: 3 }\n')).toMatchObject([
    { hint: 'did you mean limits.requestsPerSecond?' },
  ]);
  expect(read('daemon: { zzzzzzzzzzzzz: 3 }\n')).toEqual([
    expect.not.objectContaining({ hint: expect.anything() }),
  ]);
});

test('YAML that says more than what stands there is refused', () => {
  expect(read('log: { level: info }\nlog: { level: debug }\n')).toMatchObject([
    { reason: expect.stringContaining('unique') },
  ]);
  expect(read('a: &x 1\nb: *x\n')).toMatchObject([{ reason: expect.stringContaining('anchors') }]);
  expect(read('- 1\n')).toMatchObject([{ reason: 'the file is no object' }]);
  expect(read('daemon: { maxStalenessSeconds: 99999 }\n')).toMatchObject([
    { key: 'daemon.maxStalenessSeconds' },
  ]);
});

test('a supervised file that no measurement could name is refused, since nobody could replay what was decided on it', () => {
  const program = (file: string) =>
    `supervised: [{ name: a, command: /bin/sh, cwd: /, files: [${JSON.stringify(file)}] }]\n`;
  expect(read(program('l'.repeat(1000)))).toMatchObject({ config: { supervised: [{ name: 'a' }] } });
  for (const file of ['l'.repeat(1019), '\ud800']) {
    expect(read(program(file))).toMatchObject([{ key: 'supervised.0.files.0' }]);
  }
});

test('the environment overrides keys, typed; a variable without a key is refused', () => {
  expect(
    read('log: { level: warn }\nlisten: { port: 1 }\n', {
      WRIT_LISTEN__PORT: '7443',
      WRIT_LISTEN__ALLOW_INSECURE_LOOPBACK: 'true',
      WRIT_HOME: '/x',
    }),
  ).toMatchObject({
    config: { log: { level: 'warn' }, listen: { port: 7443, allowInsecureLoopback: true } },
    variables: ['WRIT_LISTEN__PORT', 'WRIT_LISTEN__ALLOW_INSECURE_LOOPBACK'],
  });
  expect(read('', { WRIT_LISTEN__PROT: '1' })).toMatchObject([
    { key: 'WRIT_LISTEN__PROT', hint: 'did you mean WRIT_LISTEN__PORT?' },
  ]);
  expect(read('', { WRIT_LISTEN__PORT: '0x10' })).toMatchObject([{ key: 'WRIT_LISTEN__PORT' }]);
});

test('a secret in the file is refused, and not repeated', () => {
  const refused = read('listen: { port: 1, tls: { certificateFile: /c, key: hunter2hunter2 } }\n');
  expect(refused).toMatchObject([
    { key: 'listen.tls.key', reason: expect.stringContaining('never written here') },
  ]);
  expect(JSON.stringify(refused)).not.toContain('hunter2');
  expect(
    JSON.stringify(read('', { WRIT_LISTEN__TLS__KEY: 'hunter2hunter2', WRIT_LISTEN__PORT: '1' })),
  ).not.toContain('hunter2');
});

test('a file that others can write to is refused: it says who may administer', () => {
  writeFileSync(file, '');
  chmodSync(file, 0o666);
  expect(readConfig(file, {})).toMatchObject([{ reason: 'others can write it' }]);
  chmodSync(file, 0o600);
});

test('a secret file that others can read is refused', () => {
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'x', { mode: 0o644 });
  expect(readSecret({ file: secret }, {})).toMatchObject({ problem: expect.stringContaining('chmod 600') });
  chmodSync(secret, 0o600);
  expect(readSecret({ file: secret }, {})).toEqual({ secret: 'x' });
  expect(readSecret({ env: 'S' }, {})).toMatchObject({ problem: expect.stringContaining('S is not set') });
});

test('every key says what it is for, and no two have one variable', () => {
  const keys = configKeys();
  expect(keys.filter(({ description }) => description === '').map(({ path }) => path)).toEqual([]);
  const variables = keys.map(variableOf).filter((name) => name !== undefined);
  expect(new Set(variables).size).toBe(variables.length);
});

test('docs/configuration.md is what the schema says (node scripts/generate.js makes it)', () => {
  const written = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  expect(words(written)).toEqual(words(configurationGuide()));
});

function words(text: string): string[] {
  return text.split(/\s+/);
}
