import { cpSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLineageDomain, type LineageDomain } from '../../test/support/lineage-domain.ts';
import { plantEntry } from '../../test/support/planted-entry.ts';
import { nowSeconds } from '../../test/support/trust-domain.ts';
import type { JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { appendGovernance } from '../governor/index.ts';
import { type Ran, writ } from './run.test-support.ts';

let lineage: LineageDomain;

beforeAll(async () => {
  lineage = await createLineageDomain();
}, 60_000);
afterAll(() => lineage.close());

const run = (...argv: string[]): Promise<Ran> => writ({ cwd: lineage.domain.folder }, ...argv);

async function json(...argv: string[]): Promise<JsonObject> {
  const ran = await run(...argv, '--json');
  expect(ran, `${argv.join(' ')}: ${ran.out}${ran.err}`).toMatchObject({ code: 0, err: '' });
  return ran.json;
}

const list = (value: unknown): JsonObject[] => value as JsonObject[];

/** Every file of the domain with its bytes and time of change. */
function bytesOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      // SQLite's shared memory changes with every reader.
      .filter((path) => !path.endsWith('-shm'))
      .map((path) => [path, `${statSync(path).mtimeMs} ${readFileSync(path).toString('base64')}`]),
  );
}

describe('writ lineage show', () => {
  it('follows a lineage through all logs, and marks ancestors and descendants', async () => {
    const { plan, draft, publish, leak, aside } = lineage.ids;
    const shown = await json('lineage', 'show', draft);
    expect(shown).toMatchObject({ execution: draft, ancestors: 1, descendants: 2, omitted: 0, repeated: 0 });
    expect(
      list(shown.executions).map(({ execution, relation, log, depth }) => [execution, relation, log, depth]),
    ).toEqual([
      [plan, 'ancestor', 'fs', 0],
      [draft, 'self', 'fs', 1],
      [publish, 'descendant', 'db', 2],
      [leak, 'descendant', 'db', 2],
      [aside, null, 'fs', 1],
    ]);
  });

  it('says of each on what authority it ran, through whom, under which policy, and how it ended', async () => {
    const { executions } = await json('lineage', 'show', lineage.ids.publish);
    const [plan, draft, publish, leak] = list(executions);
    const { home } = lineage.domain;
    expect(publish).toMatchObject({
      verdict: 'permit',
      outcome: 'failed',
      origin: {
        issuer: home.issuer,
        rootToken: lineage.tokens.root,
        initiator: { id: 'spiffe://test.local/user/ada', kind: 'human' },
      },
      delegations: [
        { token: lineage.tokens.root, subjects: [home.agent('worker')] },
        { token: lineage.tokens.derived, subjects: [home.agent('writer')] },
      ],
      policy: { id: 'default', determining: ['all'], published: { actor: 'test', index: 3 } },
    });
    expect(plan?.delegations).toHaveLength(1);
    expect(draft?.verification).toMatchObject({ decision: 'included' });
    expect(leak).toMatchObject({ verdict: 'deny', outcome: 'policy.not_permitted', endedAtMs: null });
  });

  it('says it for people, and what a child shares with its parent once', async () => {
    const { out } = await run('lineage', 'show', lineage.ids.draft);
    expect(out).toContain(`${lineage.ids.draft}  ◀ this one`);
    expect(out).toContain('delegated  worker → writer');
    expect(out).toContain('spiffe://test.local/issuer for user/ada (human)');
    expect(out).toMatch(/published {2}by test at .* governance entry 3/);
    expect(out.match(/authority {2}origin, delegation and policy are its parent’s/g)).toHaveLength(3);
    const brief = await run('lineage', 'show', lineage.ids.draft, '--brief');
    expect(brief.out.trim().split('\n')).toHaveLength(5);
  });

  it('leaves out the farthest and says so', async () => {
    const { plan, draft, publish } = lineage.ids;
    const shown = await json('lineage', 'show', publish, '--max', '3');
    expect(list(shown.executions).map(({ execution }) => execution)).toEqual([plan, draft, publish]);
    expect(shown.omitted).toBe(2);
    const { out } = await run('lineage', 'show', publish, '--max', '3');
    expect(out).toContain('2 more executions are not shown (--max shows more)');
  });

  it('shows the newest of all logs without an id', async () => {
    const { executions } = await json('lineage', 'show');
    expect(list(executions)).toHaveLength(6);
    expect(list((await json('lineage', 'show', '--tail', '1')).executions)).toMatchObject([
      { execution: lineage.ids.alone },
    ]);
  });

  it('draws it, to a file that only its owner reads', async () => {
    const { folder } = lineage.domain;
    expect(await json('lineage', 'show', 'last', '--format', 'svg', '--out', 'l.svg')).toMatchObject({
      format: 'svg',
    });
    expect(statSync(join(folder, 'l.svg')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'l.svg'), 'utf8')).toMatch(/^<svg xmlns/);
    const dot = await run('lineage', 'show', lineage.ids.draft, '--format', 'dot');
    expect(dot.out).toContain(`"${lineage.ids.draft}" -> "${lineage.ids.publish}";`);
    const tree = await run('lineage', 'show', lineage.ids.draft, '--out', 'l.txt');
    expect(tree.code).toBe(0);
    expect(readFileSync(join(folder, 'l.txt'), 'utf8')).toContain('◀ this one');
  });

  it('says what is wrong with how it was called', async () => {
    expect(await run('lineage', 'show', 'last', '--format', 'png')).toMatchObject({ code: 2, out: '' });
    expect((await run('lineage', 'show', 'nobody', '--json')).json.error).toMatchObject({
      code: 'not_found',
    });
    const unwritable = await run(
      'lineage',
      'show',
      'last',
      '--format',
      'svg',
      '--out',
      'no/such/l.svg',
      '--json',
    );
    expect(unwritable).toMatchObject({ code: 1, json: { error: { code: 'file.unwritable' } } });
  });
});

describe('what a log does not vouch for', () => {
  let home = '';

  /** A copy of the domain that the test may damage. */
  beforeAll(async () => {
    await Promise.all(Object.values(lineage.governors).map(({ governor }) => governor.settle()));
    home = join(lineage.domain.folder, 'copy');
    cpSync(lineage.domain.home.folder, home, { recursive: true });
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const show = async (id: string) => {
    const ran = await writ({ cwd: lineage.domain.folder }, '--home', home, 'lineage', 'show', id, '--json');
    return ran.json;
  };
  const database = (log: string) => join(home, 'execution', log, 'log.sqlite');
  const entryOf = (db: DatabaseSync, id: string): { idx: number; text: string } => {
    for (const { idx, body } of db.prepare('SELECT idx, body FROM entry').all()) {
      const text = Buffer.from(body as Uint8Array).toString('utf8');
      if (text.includes(`"id":"${id}"`) && text.includes('writ/decision@v1'))
        return { idx: Number(idx), text };
    }
    throw new Error('no such entry');
  };

  it('a receipt that was changed after it was signed for is shown as changed', async () => {
    const db = new DatabaseSync(database('fs'));
    const { idx, text } = entryOf(db, lineage.ids.plan);
    const forged = text.replace('spiffe://test.local/user/ada', 'spiffe://test.local/user/eve');
    db.prepare('UPDATE entry SET body = ? WHERE idx = ?').run(Buffer.from(forged), idx);
    db.close();
    const [plan] = list((await show(lineage.ids.draft)).executions);
    expect(plan?.verification).toMatchObject({ decision: 'mismatch' });
    const { out } = await writ(
      { cwd: lineage.domain.folder },
      '--home',
      home,
      'lineage',
      'show',
      lineage.ids.draft,
    );
    expect(out.split('\n')[0]).toContain('NOT AS SIGNED');
  });

  it('a descendant that was planted is at most durable, and one under an id of another is counted apart', async () => {
    const db = new DatabaseSync(database('fs'));
    const { text } = entryOf(db, lineage.ids.draft);
    db.close();
    const planted = '01a20653-7096-72e5-abd0-000000000001';
    plantEntry(
      join(home, 'execution', 'fs'),
      Buffer.from(text.replace(`"id":"${lineage.ids.draft}"`, `"id":"${planted}"`)),
    );
    plantEntry(join(home, 'execution', 'fs'), Buffer.from(text));
    const shown = await show(lineage.ids.publish);
    expect(shown.repeated).toBe(1);
    expect(list(shown.executions).find(({ execution }) => execution === planted)).toMatchObject({
      verification: { decision: 'durable' },
    });
  });

  it('a folder among the logs that no governance event enrolled is not followed', async () => {
    cpSync(join(home, 'execution', 'db'), join(home, 'execution', 'aaa'), { recursive: true });
    const logs = list((await show(lineage.ids.publish)).executions).map(({ log }) => log);
    expect(logs).toContain('db');
    expect(logs).not.toContain('aaa');
  });

  it('a log that is gone is named, and what is left is shown', async () => {
    rmSync(join(home, 'execution', 'db'), { recursive: true });
    const ran = await writ(
      { cwd: lineage.domain.folder },
      '--home',
      home,
      'lineage',
      'show',
      lineage.ids.draft,
    );
    expect(ran.code).toBe(0);
    expect(ran.err).toContain('log db cannot be read: what it holds is missing here');
    expect(ran.out).not.toContain(lineage.ids.publish);
  });
});

describe('writ lineage export', () => {
  it('writes one lineage, or every execution, in each format', async () => {
    const lines = (ran: Ran) =>
      ran.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as JsonObject);
    const events = lines(await run('lineage', 'export', lineage.ids.draft, '--format', 'openlineage'));
    expect(events.map(({ eventType }) => eventType)).toEqual([
      ...['START', 'COMPLETE', 'START', 'COMPLETE', 'START', 'FAIL', 'ABORT', 'START', 'COMPLETE'],
    ]);
    const [traces] = lines(await run('lineage', 'export', '--all', '--format', 'otel'));
    expect(list(traces?.resourceSpans)).toHaveLength(2);
    const [document] = lines(await run('lineage', 'export', '--all', '--format', 'prov'));
    expect(Object.keys(document?.activity ?? {}).sort()).toEqual(
      Object.values(lineage.ids)
        .map((id) => `execution:${id}`)
        .sort(),
    );
  });

  it('writes to a file, and counts what it leaves out', async () => {
    for (const format of ['openlineage', 'prov', 'otel']) {
      const answer = await json(
        'lineage',
        'export',
        '--all',
        '--format',
        format,
        '--out',
        'x.json',
        '--max',
        '4',
      );
      expect(answer).toMatchObject({ format, executions: 4, omitted: 2 });
    }
  });

  it('has nothing of arguments, results, details or tokens', async () => {
    const detail = list((await json('log', 'show', '--deny')).decisions)[0]?.detail;
    expect(detail).toMatch(/./);
    for (const format of ['openlineage', 'prov', 'otel']) {
      const { out } = await run('lineage', 'export', '--all', '--format', format);
      for (const secret of ['SECRET', '/secret-plans', String(detail), ...lineage.derivedChain]) {
        expect(out, format).not.toContain(secret);
      }
    }
  });

  it('wants to know what and how', async () => {
    for (const argv of [
      ['--format', 'otel'],
      ['last'],
      ['last', '--all', '--format', 'otel'],
      ['last', '--format', 'pdf'],
      ['last', '--format', 'otel', '--max', '0'],
    ]) {
      expect((await run('lineage', 'export', ...argv)).code, argv.join(' ')).toBe(2);
    }
  });
});

describe('writ artifact revoke --dry-run', () => {
  beforeAll(async () => {
    const { home } = lineage.domain;
    const appended = await appendGovernance(home, [
      {
        event: 'artifact.issued',
        at: nowSeconds(),
        actor: 'test',
        jti: lineage.tokens.root,
        hash: 'A'.repeat(43),
        iss: home.issuer,
        holder: lineage.domain.agent.publicKey.thumbprint,
        exp: nowSeconds() + 3600,
      },
    ]);
    expect(isDenial(appended)).toBe(false);
  });

  const preview = (...argv: string[]) => json('artifact', 'revoke', '--dry-run', ...argv);
  const idsIn = (value: unknown, key: string) => list((value as JsonObject).listed).map((item) => item[key]);

  it('lists what rests on a token: it and what is derived from it, their agents, and what could have followed', async () => {
    const { plan, draft, publish, aside, alone } = lineage.ids;
    const { home } = lineage.domain;
    const effect = await preview('--token', lineage.tokens.root);
    expect(effect).toMatchObject({
      dryRun: true,
      already: false,
      isActivePolicy: false,
      enforcementPoints: [],
    });
    expect(idsIn(effect.tokens, 'jti')).toEqual([lineage.tokens.root, lineage.tokens.derived]);
    expect(effect.agents).toEqual([
      { agent: home.agent('worker'), ends: 1, remains: 0 },
      { agent: home.agent('writer'), ends: 1, remains: 0 },
    ]);
    expect(new Set(idsIn(effect.parents, 'execution'))).toEqual(
      new Set([plan, draft, publish, aside, alone]),
    );
    expect(effect.running).toEqual({ count: 0, listed: [] });
  });

  it('leaves what stands above alone', async () => {
    const { draft, publish } = lineage.ids;
    for (const handle of [
      ['--token', lineage.tokens.derived],
      ['--subject', lineage.domain.home.agent('writer')],
    ]) {
      const effect = await preview(...handle);
      expect(idsIn(effect.tokens, 'jti')).toEqual([lineage.tokens.derived]);
      expect(new Set(idsIn(effect.parents, 'execution'))).toEqual(new Set([draft, publish]));
    }
  });

  it('knows every handle, and that some stop everything', async () => {
    const { home } = lineage.domain;
    const all = [lineage.tokens.root, lineage.tokens.derived];
    expect(idsIn((await preview('--issuer', home.issuer)).tokens, 'jti')).toEqual(all);
    expect(
      idsIn((await preview('--holder', lineage.domain.agent.publicKey.thumbprint)).tokens, 'jti'),
    ).toEqual(all);
    expect(idsIn((await preview('--subject', 'spiffe://test.local/user/ada')).tokens, 'jti')).toContain(
      all[1],
    );
    const { digest } = (await json('policy', 'show')) as { digest: string };
    const policy = await preview('--policy', digest);
    expect(policy).toMatchObject({ isActivePolicy: true, parents: { count: 5 } });
    const receipt = (await json('receipt', 'show', lineage.ids.alone)).decision as JsonObject;
    const environment = await preview('--environment', String((receipt.environment as JsonObject).digest));
    expect((environment.enforcementPoints as string[]).length).toBeGreaterThan(0);
    expect(await preview('--token', 'unknown')).toMatchObject({
      tokens: { count: 0 },
      agents: [],
      parents: { count: 0 },
    });
  });

  it('lists what runs, until it has ended', async () => {
    const { governor, audience } = lineage.governors.fs;
    const started = Promise.withResolvers<string>();
    const finish = Promise.withResolvers<void>();
    const running = governor.run(
      lineage.domain.call(lineage.rootChain, { audience }),
      async ({ id, signal }) => {
        started.resolve(id);
        signal?.addEventListener('abort', () => finish.resolve());
        await finish.promise;
        return { status: 'succeeded', value: undefined, evidence: Buffer.from('') };
      },
    );
    const id = await started.promise;
    expect(idsIn((await preview('--token', lineage.tokens.root)).running, 'execution')).toEqual([id]);
    expect((await preview('--token', lineage.tokens.derived)).running).toMatchObject({ count: 0 });
    finish.resolve();
    await running;
    await governor.settle();
    expect((await preview('--token', lineage.tokens.root)).running).toMatchObject({ count: 0 });
  });

  it('writes nothing: every file is what it was, and needs no reason', async () => {
    const before = bytesOf(lineage.domain.home.folder);
    for (const argv of [
      ['--token', lineage.tokens.root],
      ['--holder', lineage.domain.agent.publicKey.thumbprint, '--reason', 'rehearsal'],
      ['--issuer', lineage.domain.home.issuer],
    ]) {
      expect((await run('artifact', 'revoke', '--dry-run', ...argv)).code).toBe(0);
    }
    expect(bytesOf(lineage.domain.home.folder)).toEqual(before);
    expect((await run('artifact', 'revoke', '--token', lineage.tokens.root)).code).toBe(2);
    expect(bytesOf(lineage.domain.home.folder)).toEqual(before);
  });

  it('says it for people, bounded', async () => {
    const [, payload = ''] = (lineage.rootChain[0] ?? '').split('.');
    const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { exp: number };
    const { out } = await writ(
      { cwd: lineage.domain.folder, nowMs: (exp - 59.5 * 60) * 1000 },
      ...['artifact', 'revoke', '--dry-run', '--token', lineage.tokens.root, '--max', '2'],
    );
    expect(out).toContain('nothing is written');
    expect(out).toMatch(/root {5}\S+ {2}worker {2}would expire in 59m/);
    expect(out).toMatch(/derived {2}\S+ {2}writer {2}would expire within 59m/);
    expect(out).toMatch(/… \d more \(--max lists more\)/);
  });

  it('once revoked, there is nothing left to stop, and what was listed is refused', async () => {
    await json('artifact', 'revoke', '--token', lineage.tokens.derived, '--reason', 'test');
    expect(await preview('--token', lineage.tokens.derived)).toMatchObject({
      already: true,
      tokens: { count: 0 },
      parents: { count: 0 },
    });
    const { governor, audience } = lineage.governors.fs;
    const follow = (parent: string) =>
      governor.run(lineage.domain.call(lineage.rootChain, { audience, parent }), async () => ({
        status: 'succeeded',
        value: undefined,
        evidence: Buffer.from(''),
      }));
    expect(await follow(lineage.ids.draft)).toMatchObject({
      verdict: 'deny',
      denial: { code: 'lineage.parent_denied' },
    });
    expect(await follow(lineage.ids.plan)).toMatchObject({ verdict: 'permit' });
  });
});
