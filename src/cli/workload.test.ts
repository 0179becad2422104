import { statSync } from 'node:fs';
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
