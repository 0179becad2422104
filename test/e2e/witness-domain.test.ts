import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writ } from '../../src/cli/run.test-support.ts';
import { isDenial } from '../../src/denial/index.ts';
import { enrollAgent, openGovernanceFollower, openGovernor, revoke } from '../../src/governor/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import { openSqliteLog } from '../../src/storage/index.ts';
import { formatVkey, noteVerifier, openCheckpoint, parseVkey } from '../../src/tlog/index.ts';
import { must, nowSeconds, TestDomain } from '../support/trust-domain.ts';
import { policyText, WitnessHost } from '../support/witness-host.ts';

let domain: TestDomain;
let witnesses: WitnessHost[];
const by = { actor: 'test', atSeconds: nowSeconds() };

beforeEach(async () => {
  domain = await TestDomain.create();
  // The execution log's key, as `openGovernor` makes it, has to be known to the witnesses before.
  const opened = await domain.open();
  await opened.close();
  const { home } = domain;
  const vkeys = [
    home.governanceVkey,
    readFileSync(join(home.executionLogFolder('fs'), 'log.vkey'), 'utf8').trim(),
  ];
  const logs = vkeys.map((vkey) => must(parseVkey(vkey)));
  witnesses = await Promise.all([1, 2, 3].map((seed) => new WitnessHost(seed, logs).start()));
});
afterEach(async () => {
  for (const witness of witnesses) await witness.dispose();
  domain.dispose();
});

const setPolicy = (text = policyText(witnesses, 2)) =>
  writeFileSync(domain.home.witnessPolicyFile, text, { mode: 0o644 });
const cli = (...argv: string[]) => writ({ cwd: domain.folder }, ...argv);
const cosignaturesIn = (folder: string, vkey: string) =>
  must(
    openCheckpoint(
      readFileSync(join(folder, 'checkpoint'), 'utf8'),
      must(parseVkey(vkey)),
      witnesses.map(({ verifier }) => verifier),
    ),
  ).cosignatures.length;
const knows = (subject: string): boolean => {
  const follower = openGovernanceFollower(domain.home);
  if (isDenial(follower)) throw new Error(follower.detail);
  follower.close();
  return [...follower.view.state.agents].some((agent) => agent.subject === subject);
};

it('a policy that is malformed, exposed or cannot be met denies to open, to write governance and to verify', async () => {
  const { home } = domain;
  const good = policyText(witnesses, 2);
  const revoking = () => revoke(home, { handle: 'token', value: 'x' }, by);
  const before = readFileSync(join(home.governanceFolder, 'checkpoint'), 'utf8');
  const refusals: readonly [string, RegExp][] = [
    [good.slice(0, -1), /does not end in newline/],
    [good.replace('group', 'grupp'), /neither log, witness/],
    ['', /does not end in newline/],
    [good.replaceAll(/ http\S+/g, ''), /can never be met, since witnesses have no URL/],
    [`log ${formatVkey('x', SigningKey.generate().publicKey)}\n${good}`, /names logs, and \S+ is not one/],
  ];
  for (const [text, problem] of refusals) {
    setPolicy(text);
    expect(await openGovernor({ home, name: 'fs', components: [] })).toMatchObject({
      detail: expect.stringMatching(/witness/),
    });
    expect(await revoking()).toMatchObject({ detail: expect.stringMatching(problem) });
  }
  setPolicy(good);
  chmodSync(home.witnessPolicyFile, 0o666);
  expect(await revoking()).toMatchObject({ detail: expect.stringMatching(/can be written by others/) });
  expect((await cli('log', 'verify')).code).toBe(1);
  expect(readFileSync(join(home.governanceFolder, 'checkpoint'), 'utf8')).toBe(before);
});

it('governance counts once it is witnessed, and commands say so', async () => {
  const { home } = domain;
  setPolicy();
  const unwitnessed = openGovernanceFollower(home);
  expect(unwitnessed).toMatchObject({
    code: 'revocation.stale',
    detail: expect.stringMatching(/run "writ log publish"/),
  });
  expect((await cli('log', 'verify')).out).toContain('not witnessed');
  expect((await cli('log', 'publish')).code).toBe(0);
  expect(cosignaturesIn(home.governanceFolder, home.governanceVkey)).toBeGreaterThanOrEqual(2);
  expect((await cli('log', 'verify')).code).toBe(0);

  for (const witness of witnesses.slice(1)) await witness.kill();
  const subject = home.agent('late');
  const key = SigningKey.generate().publicKey;
  const refused = await enrollAgent(home, { subject, key, ...by });
  expect(refused?.code).toBe('log.unavailable');
  expect(refused?.detail).toMatch(
    /recorded but not in force yet.*w2: it cannot be reached.*writ log publish/s,
  );
  expect(knows(subject)).toBe(false);
  const held = await cli('--json', 'log', 'publish');
  expect([held.code, held.json.published]).toEqual([1, false]);
  for (const witness of witnesses.slice(1)) await witness.start();
  expect((await cli('log', 'publish')).code).toBe(0);
  expect(knows(subject)).toBe(true);
});

it('a gateway decides while its witnesses are away, and its receipts are witnessed when they are back', async () => {
  const { home } = domain;
  setPolicy();
  expect((await cli('log', 'publish')).code).toBe(0);
  const folder = home.executionLogFolder('fs');
  const vkey = readFileSync(join(folder, 'log.vkey'), 'utf8').trim();
  const opened = await domain.open();
  const before = readFileSync(join(folder, 'checkpoint'), 'utf8');
  for (const witness of witnesses) await witness.kill();
  let ran = 0;
  const outcome = await opened.governor.run(
    domain.call([domain.issue()], { audience: opened.audience }),
    async () => {
      ran += 1;
      return { status: 'succeeded', value: undefined };
    },
  );
  expect([outcome.verdict, ran]).toEqual(['permit', 1]);
  const index = outcome.receiptIndex ?? -1;
  await opened.governor.acknowledged(index, 'durable');
  const witnessed = opened.governor.acknowledged(index, 'witnessed');
  expect(readFileSync(join(folder, 'checkpoint'), 'utf8')).toBe(before);
  for (const witness of witnesses) await witness.start();
  await witnessed;
  expect(cosignaturesIn(folder, vkey)).toBeGreaterThanOrEqual(2);
  await opened.close();
  const bundle = await domain.bundle(outcome.executionId);
  expect(
    Buffer.from(bundle.executions[0]?.decision.proof ?? '')
      .toString()
      .match(/^— w\d\.example /gm)?.length,
  ).toBeGreaterThanOrEqual(2);
  const shown = await cli('lineage', 'show', outcome.executionId, '--json', '--home', domain.home.folder);
  expect(shown.json.executions).toMatchObject([{ verification: { decision: 'witnessed' } }]);
  rmSync(domain.home.witnessPolicyFile);
  const without = await cli('lineage', 'show', outcome.executionId, '--json', '--home', domain.home.folder);
  expect(without.json.executions).toMatchObject([{ verification: { decision: 'included' } }]);
});

it('writ log verify --against refuses a fork and a rollback with both signed heads', async () => {
  const { home } = domain;
  const folder = home.executionLogFolder('fs');
  const checkpoint = join(folder, 'checkpoint');
  const signer = SigningKey.fromPem(readFileSync(home.logKeyFile('fs'), 'utf8'), 'request.malformed');
  if (isDenial(signer)) throw new Error(signer.detail);
  const origin = home.executionOrigin('fs');
  const vkey = formatVkey(origin, signer.publicKey);
  const grow = async (count: number, text: string) => {
    const log = await openSqliteLog({ directory: folder, origin, signer });
    for (let at = 0; at < count; at += 1) await log.append({ entry: Buffer.from(`${text} ${at}`) });
    await log.close();
  };
  const against = (...more: string[]) => cli('--json', 'log', 'verify', '--against', 'kept', ...more);
  cpSync(folder, join(domain.folder, 'empty'), { recursive: true });
  await grow(3, 'honest');
  cpSync(checkpoint, join(domain.folder, 'kept'));
  expect((await against()).json).toMatchObject({
    verified: true,
    against: { verdict: 'extends', keptSize: 3, size: 3 },
  });
  await grow(4, 'more');
  const good = await against('--log-key', vkey);
  expect([good.code, good.json]).toMatchObject([
    0,
    { against: { verdict: 'extends', keptSize: 3, size: 7 } },
  ]);

  const replace = async (count: number) => {
    rmSync(folder, { recursive: true });
    cpSync(join(domain.folder, 'empty'), folder, { recursive: true });
    await grow(count, 'forged');
  };
  const kept = readFileSync(join(domain.folder, 'kept'), 'utf8');
  for (const [count, verdict] of [
    [9, 'forked'],
    [3, 'forked'],
    [2, 'rolled_back'],
  ] as const) {
    await replace(count);
    const { code, json } = await against();
    expect([code, json]).toMatchObject([
      1,
      { verified: false, against: { verdict, keptSize: 3, size: count }, logs: [{ verified: true }] },
    ]);
    const now = readFileSync(checkpoint, 'utf8');
    expect(json).toMatchObject({ against: { heads: [kept, now] } });
    for (const head of [kept, now]) must(openCheckpoint(head, noteVerifier(origin, signer.publicKey)));
    const { out } = await cli('log', 'verify', '--against', 'kept');
    for (const line of [...kept.trimEnd().split('\n'), ...now.trimEnd().split('\n')])
      expect(out).toContain(line);
  }

  rmSync(checkpoint);
  expect((await against()).json).toMatchObject({
    verified: false,
    against: { verdict: 'unknown', heads: [kept] },
  });
  writeFileSync(join(domain.folder, 'kept'), kept.replace('\n3\n', '\n2\n'));
  expect((await against()).json).toMatchObject({
    error: { message: expect.stringMatching(/proves nothing/) },
  });
  writeFileSync(join(domain.folder, 'kept'), kept.replaceAll(origin, 'other.example/execution/fs'));
  expect((await against()).json).toMatchObject({ error: { code: 'not_found' } });
  expect((await cli('log', 'verify', '--against', 'kept', '--all')).code).toBe(2);
  expect((await cli('log', 'verify', '--log-key', vkey)).code).toBe(2);
  expect(existsSync(checkpoint)).toBe(false);
});
