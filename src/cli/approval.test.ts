import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installDebianPackages, tellSkipped } from '../../test/support/debian-packages.ts';
import { TestDomain } from '../../test/support/trust-domain.ts';
import type { JsonObject } from '../codec/index.ts';
import type { OpenedGovernor } from '../governor/index.ts';
import { writ } from './run.test-support.ts';

const KEYGEN = '/usr/bin/ssh-keygen';
if (!existsSync(KEYGEN)) installDebianPackages('openssh-client');
const hasSsh = existsSync(KEYGEN);
if (!hasSsh) tellSkipped('writ approval', 'OpenSSH is not installed');

describe.skipIf(!hasSsh)('writ approval', () => {
  let domain: TestDomain;
  let opened: OpenedGovernor;
  let cwd = '';
  const cli = (...argv: readonly string[]) => writ({ cwd }, ...argv, '--json');

  beforeAll(async () => {
    domain = await TestDomain.create(
      '@approval("operator:1") permit (principal, action in Writ::Action::"write", resource);',
    );
    cwd = domain.folder;
    opened = await domain.open();
    for (const name of ['ada', 'bob']) {
      execFileSync(KEYGEN, ['-q', '-t', 'ed25519', '-N', '', '-f', join(cwd, name)]);
      const roles = name === 'bob' ? ['--role', 'security', '--role', 'break-glass'] : [];
      const enrolled = await cli(
        'approval',
        'enroll',
        name,
        '--role',
        'operator',
        ...roles,
        '--key',
        `${name}.pub`,
      );
      expect(enrolled.code).toBe(0);
    }
  });

  afterAll(async () => {
    await opened.close();
    domain.dispose();
  });

  async function call(args: JsonObject, chain: readonly string[]) {
    const action = domain.call(chain, { audience: opened.audience, args });
    const outcome = await opened.governor.run(action, async () => ({ status: 'succeeded', value: 1 }));
    await opened.governor.settle();
    return {
      code: outcome.verdict === 'permit' ? 'permit' : outcome.denial.code,
      id: outcome.executionId,
    };
  }

  it('lists, shows and grants a request, which then runs once', async () => {
    const chain = [domain.issue()];
    const { id, code } = await call({ path: '/a\u202eb', content: 'x\u00a0y' }, chain);
    expect(code).toBe('approval.required');
    const listed = await cli('approval', 'list');
    expect(listed.json.requests).toMatchObject([
      { id, status: 'open', required: [{ role: 'operator', threshold: 1 }], given: [] },
    ]);
    const shown = await writ({ cwd }, 'approval', 'show', id);
    expect(shown.out).toContain('"path": "/a\\u202eb"');
    expect(shown.out).toContain('"content": "x\\u00a0y"');
    expect(shown.out).not.toContain('\u202e');
    const granted = await cli('approval', 'grant', id, '--key', 'ada', '--reason', 'looks right');
    expect(granted.err).toBe('');
    expect(granted.json).toMatchObject({
      recorded: true,
      statement: { role: 'operator', reason: 'looks right' },
    });
    expect((await call({ path: '/a\u202eb', content: 'x\u00a0y' }, chain)).code).toBe('permit');
    expect((await call({ path: '/a\u202eb', content: 'x\u00a0y' }, chain)).code).toBe('approval.required');
    const again = await cli('approval', 'grant', id, '--key', 'ada');
    expect(again.code).toBe(1);
    expect(again.json.error).toMatchObject({ message: expect.stringMatching(/has run/) });
  });

  it('denies a request for good', async () => {
    const chain = [domain.issue()];
    const { id } = await call({ path: '/deny' }, chain);
    expect((await cli('approval', 'deny', id, '--key', 'bob', '--reason', 'no')).code).toBe(0);
    expect((await call({ path: '/deny' }, chain)).code).toBe('approval.rejected');
    const first = await cli('approval', 'list', '--all', '--limit', '1');
    expect(first.json).toMatchObject({ requests: [{ id }], next: id });
    const rest = await cli('approval', 'list', '--all', '--after', id);
    expect(rest.json).toMatchObject({ requests: [{ status: 'open' }], next: null });
    expect((await cli('approval', 'list', '--after', '../x')).code).toBe(2);
    const granted = await cli('approval', 'grant', id, '--key', 'ada');
    expect(granted.json.error).toMatchObject({ code: 'approval.rejected' });
  });

  it('takes a statement that was signed elsewhere, and no other', async () => {
    const chain = [domain.issue()];
    const { id } = await call({ path: '/elsewhere' }, chain);
    const other = await call({ path: '/other' }, chain);
    const handed = await cli('approval', 'grant', id, '--approver', 'ada', '--out', 's.json');
    expect(handed.code).toBe(0);
    execFileSync(KEYGEN, ['-Y', 'sign', '-q', '-n', 'writ-approval@v1', '-f', 'ada', 's.json'], { cwd });
    const signed = ['--statement', 's.json', '--signature', 's.json.sig'];
    expect((await cli('approval', 'grant', other.id, ...signed)).code).toBe(2);
    expect((await cli('approval', 'deny', id, ...signed)).code).toBe(2);
    writeFileSync(
      join(cwd, 't.json'),
      readFileSync(join(cwd, 's.json'), 'utf8').replace('"exp":1', '"exp":9'),
    );
    const forged = await cli('approval', 'grant', id, '--statement', 't.json', '--signature', 's.json.sig');
    expect(forged.code).toBe(1);
    expect((await cli('approval', 'grant', id, ...signed)).code).toBe(0);
    expect((await call({ path: '/elsewhere' }, chain)).code).toBe('permit');
  });

  it('breaks the glass with a reason, and lists it until somebody else has looked', async () => {
    const chain = [
      domain.issue({
        writ: {
          initiator: { id: domain.home.agent('worker'), kind: 'agent' },
          governance: { approvals: [{ role: 'security', threshold: 2 }] },
        },
      }),
    ];
    const { id } = await call({ path: '/emergency' }, chain);
    expect((await cli('approval', 'grant', id, '--key', 'bob', '--break-glass')).code).toBe(2);
    const reason = ['--reason', 'incident 17'];
    const ada = await cli('approval', 'grant', id, '--key', 'ada', '--break-glass', ...reason);
    expect(ada.json.error).toMatchObject({ message: expect.stringMatching(/not enrolled as break-glass/) });
    const long = await cli(
      'approval',
      'grant',
      id,
      '--key',
      'bob',
      '--break-glass',
      ...reason,
      '--for',
      '16m',
    );
    expect(long.code).toBe(2);
    expect((await cli('approval', 'grant', id, '--key', 'bob', '--break-glass', ...reason)).code).toBe(0);
    expect((await call({ path: '/emergency' }, chain)).code).toBe('permit');
    const waiting = await cli('approval', 'list', '--review');
    expect(waiting.json.reviews).toMatchObject([{ request: id, role: 'break-glass', reason: 'incident 17' }]);
    const finding = ['--finding', 'justified'];
    const own = await cli('approval', 'review', id, ...finding, '--key', 'bob');
    expect(own.json.error).toMatchObject({ message: expect.stringMatching(/does not review it/) });
    expect((await cli('approval', 'review', id, ...finding, '--key', 'ada')).code).toBe(0);
    expect((await cli('approval', 'list', '--review')).json.reviews).toEqual([]);
  });

  it('says who may approve, and no longer after they were retired', async () => {
    const listed = await cli('approval', 'list', '--approvers');
    expect(listed.json.approvers).toMatchObject([{ roles: ['operator'] }, { kind: 'ssh' }]);
    const chain = [domain.issue()];
    const { id } = await call({ path: '/retired' }, chain);
    expect((await cli('approval', 'grant', id, '--key', 'ada')).code).toBe(0);
    expect((await cli('approval', 'retire', 'ada')).code).toBe(0);
    expect((await call({ path: '/retired' }, chain)).code).toBe('approval.required');
    const granted = await cli('approval', 'grant', id, '--key', 'ada');
    expect(granted.json.error).toMatchObject({ code: 'not_found' });
  });

  it('watches', async () => {
    const { id } = await call({ path: '/watched' }, [domain.issue()]);
    const watched = await cli('approval', 'watch', '--for', '1s');
    const lines = watched.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonObject);
    expect(lines.some((line) => line.id === id && line.status === 'open')).toBe(true);
  });
});
