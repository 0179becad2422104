import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestDomain } from '../../test/support/trust-domain.ts';
import { type Ran, writ } from './run.test-support.ts';

let domain: TestDomain;
const run = (...argv: string[]): Promise<Ran> =>
  writ({ cwd: domain.folder, homeFolder: domain.home.folder }, '--home', domain.home.folder, ...argv);

beforeAll(async () => {
  domain = await TestDomain.create();
});
afterAll(() => domain.dispose());

test('a token is shown once, listed by its hash, and revoked by name or by id', async () => {
  const { json: made } = await run('token', 'new', '--role', 'auditor', '--name', 'grafana', '--json');
  const { json: second } = await run('token', 'new', '--role', 'auditor', '--name', 'grafana', '--json');
  expect(made.token).toMatch(/^writ_[A-Za-z0-9_-]{43}$/);
  const listed = await run('token', 'list', '--json');
  expect(listed.json.tokens).toMatchObject([
    { id: made.id, role: 'auditor', state: 'accepted' },
    { id: second.id, caller: second.caller },
  ]);
  expect(listed.out).not.toContain(String(made.token));
  const id = String(made.id).slice(0, 12);
  expect((await run('token', 'revoke', 'grafana', '--token', id, '--json')).json.revoked).toEqual([made.id]);
  expect((await run('token', 'revoke', 'grafana', '--json')).json.revoked).toEqual([second.id]);
  expect((await run('token', 'list', '--json')).json.tokens).toEqual([]);
  const all = await run('token', 'list', '--all', '--json');
  expect(all.json.tokens).toMatchObject([{ state: 'revoked' }, { state: 'revoked' }]);
});

test('a name keeps its role while a token of it is accepted, and wrong words are refused', async () => {
  await run('token', 'new', '--role', 'auditor', '--name', 'ci');
  const refused = await run('token', 'new', '--role', 'operator', '--name', 'ci', '--json');
  expect([refused.code, JSON.stringify(refused.json)]).toEqual([1, expect.stringContaining('another role')]);
  expect((await run('token', 'new', '--role', 'root', '--name', 'x')).code).toBe(2);
  expect((await run('token', 'new', '--role', 'auditor', '--name', '../x')).code).toBe(2);
  expect((await run('token', 'revoke', 'nobody')).code).toBe(1);
  // Ids are base64url: one in so many starts like an option.
  const dashed = await run('token', 'revoke', 'ci', '--token', '-Vabcdefghijk', '--json');
  expect(dashed.json).toMatchObject({ error: { code: 'not_found' } });
});

test('the configuration is checked with place and hint, and shown with its defaults', async () => {
  expect((await run('config', 'check', '--json')).json).toMatchObject({ valid: true, file: null });
  writeFileSync(domain.home.configFile, 'log:\n  levle: debug\n', { mode: 0o600 });
  const checked = await run('config', 'check');
  expect(checked.code).toBe(1);
  expect(checked.out).toContain(
    `${domain.home.configFile}:2:3: log.levle: there is no such key (did you mean level?)`,
  );
  expect((await run('config', 'show')).code).toBe(1);
  expect((await run('up')).err).toContain('config.invalid');
  writeFileSync(domain.home.configFile, 'log:\n  level: debug\n', { mode: 0o600 });
  const shown = await run('config', 'show', '--json');
  expect(shown.json.config).toMatchObject({ log: { level: 'debug' }, daemon: { maxStalenessSeconds: 10 } });
});
