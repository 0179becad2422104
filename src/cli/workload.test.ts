import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolder, type Ran, writ } from './run.test-support.ts';

let place: ReturnType<typeof makeFolder>;
const run = (...argv: string[]): Promise<Ran> => writ({ cwd: place.folder }, ...argv);
const WEB = 'spiffe://dev.example/web';

beforeAll(() => {
  place = makeFolder();
});
afterAll(() => place.remove());

test('a development issuer issues what its bundle verifies, and keeps its keys to its owner', async () => {
  const made = await run('workload', 'issuer', 'dev', '--trust-domain', 'dev.example', '--json');
  expect(made.json).toMatchObject({ trustDomain: 'dev.example' });
  expect((await run('workload', 'issuer', 'dev', '--trust-domain', 'dev.example')).err).toContain('EEXIST');
  expect((await run('workload', 'issue', 'dev', WEB, '--out', 'web', '--json')).json).toMatchObject({
    id: WEB,
  });
  const mode = (file: string) => (statSync(join(place.folder, file)).mode & 0o777).toString(8);
  expect(['dev/issuer.json', 'web/svid.key', 'web/wit.key', 'dev/bundle.json'].map(mode)).toEqual([
    '600',
    '600',
    '600',
    '644',
  ]);
  const verify = (...more: string[]) =>
    run('workload', 'verify', '--bundle', 'dev/bundle.json', ...more, '--json');
  for (const shown of [
    ['--certificate', 'web/svid.pem'],
    ['--token', 'web/wit.jwt'],
  ]) {
    expect((await verify('--trust-domain', 'dev.example', ...shown)).json).toMatchObject({
      verified: true,
      id: WEB,
    });
    const elsewhere = await verify('--trust-domain', 'prod.example', ...shown);
    expect([elsewhere.code, elsewhere.json.verified]).toEqual([1, false]);
  }
  expect((await run('workload', 'issue', 'dev', 'spiffe://prod.example/web', '--out', 'x')).code).toBe(2);
  expect((await run('workload', 'issuer', 'y', '--trust-domain', 'Dev.example')).code).toBe(2);
  expect((await verify('--trust-domain', 'dev.example')).code).toBe(2);
});

test('keys that are replaced are their owner’s alone, whatever was there, and go where no link leads', async () => {
  await run('workload', 'issuer', 'replaced', '--trust-domain', 'dev.example');
  const path = (name: string) => join(place.folder, name);
  mkdirSync(path('open'));
  writeFileSync(path('open/svid.key'), 'former', { mode: 0o644 });
  writeFileSync(path('elsewhere'), 'of somebody else', { mode: 0o644 });
  symlinkSync(path('elsewhere'), path('open/wit.key'));
  expect((await run('workload', 'issue', 'replaced', WEB, '--out', 'open')).code).toBe(0);
  for (const key of ['open/svid.key', 'open/wit.key']) {
    expect(lstatSync(path(key)).isFile()).toBe(true);
    expect((lstatSync(path(key)).mode & 0o777).toString(8)).toBe('600');
    expect(readFileSync(path(key), 'utf8')).toContain('PRIVATE KEY');
  }
  expect(readFileSync(path('elsewhere'), 'utf8')).toBe('of somebody else');
  expect(readdirSync(path('open')).toSorted()).toEqual(
    ['bundle.json', 'svid.key', 'svid.pem', 'wit.jwt', 'wit.key'].toSorted(),
  );
  // Where nothing is replaced, a link is something that is there already.
  mkdirSync(path('linked'));
  symlinkSync(path('nowhere'), path('linked/issuer.json'));
  const linked = await run('workload', 'issuer', 'linked', '--trust-domain', 'dev.example');
  expect(linked.err).toContain('EEXIST');
  expect(readdirSync(place.folder)).not.toContain('nowhere');
});

test.each([[['mcp', 'connect', 'http://127.0.0.1:1/mcp']], [['hook', 'claude-code']]])(
  '%j says how it shows a workload, and takes no half of one',
  async (command) => {
    const { out } = await run(...command, '--help');
    for (const option of [
      '--workload-api <uri>',
      '--wit <file>',
      '--wit-key <file>',
      'SPIFFE_ENDPOINT_SOCKET',
    ]) {
      expect(out).toContain(option);
    }
  },
);
