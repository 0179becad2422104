import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { writ as cli } from '../../src/cli/run.test-support.ts';
import { isDenial } from '../../src/denial/index.ts';
import { SdkWorld } from '../../src/enforce/sdk/sdk.test-support.ts';
import { programVersion, revoke, systemClock } from '../../src/governor/index.ts';
import { govern, type Writ } from '../../src/index.ts';
import { createLogger, Daemon } from '../../src/server/daemon/index.ts';
import { must, nowSeconds } from '../support/trust-domain.ts';

const READ = 'sdk://app/read_file';
const logger = createLogger(new Writable({ write: (_chunk, _encoding, done) => done() }));

let ran = 0;
let body: (signal: AbortSignal) => unknown = () => 'done';

function governRead(writ: Writ) {
  const inputSchema = { type: 'object', properties: { path: { type: 'string' } } };
  return govern(writ, { name: 'read_file', inputSchema }, (_args: { path: string }, { signal }) => {
    ran += 1;
    return body(signal);
  });
}

describe('functions governed by the daemon', () => {
  let world: SdkWorld;
  let daemon: Daemon;
  let writ: Writ;

  beforeAll(async () => {
    world = await SdkWorld.create(governRead);
    await world.grant({ [READ]: { path: { constraint_type: 'wildcard' } } });
    const options = { home: world.home, clock: systemClock, version: programVersion(), logger, drainMs: 200 };
    const started = await Daemon.start(options);
    if (isDenial(started)) throw new Error(started.detail);
    daemon = started;
    writ = await world.open();
  });

  afterEach(() => {
    ran = 0;
    body = () => 'done';
  });

  afterAll(async () => {
    await writ?.close();
    await daemon?.close();
    world?.dispose();
  });

  it('run when it permits, and are children of those they are called in', async () => {
    const read = governRead(writ);
    body = () => (ran === 1 ? read({ path: '/inner' }) : 'inner');
    expect(await read({ path: '/outer' })).toBe('inner');
    const { decisions } = await world.entries(writ);
    expect(decisions[1]?.lineage?.parent).toBe(decisions[0]?.id);
    await vi.waitFor(async () => {
      const { outcomes } = await world.entries(writ);
      expect(outcomes.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
    });
  });

  it('do not run when it denies', async () => {
    const read = governRead(writ);
    const call = read({ path: '/a', mode: 'w' } as never);
    await expect(call).rejects.toThrow(expect.objectContaining({ code: 'scope.arguments_not_granted' }));
    expect(ran).toBe(0);
  });

  it('serves the hook of Claude Code as well', async () => {
    const stdin = '{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"}}';
    const { code, json } = await cli(
      { cwd: world.folder, stdin },
      '--home',
      world.home.folder,
      'hook',
      'claude-code',
    );
    expect(code).toBe(0);
    expect(json).toMatchObject({
      hookSpecificOutput: {
        permissionDecision: 'deny',
        permissionDecisionReason: expect.stringContaining('artifact.missing'),
      },
    });
  });

  it('are stopped when what they run under is revoked', async () => {
    const read = governRead(writ);
    const started = Promise.withResolvers<AbortSignal>();
    body = (signal) => {
      started.resolve(signal);
      return new Promise(() => {});
    };
    const call = read({ path: '/a' });
    const stopped = expect(call).rejects.toThrow(
      expect.objectContaining({ code: 'revocation.revoked', wasStarted: true }),
    );
    const signal = await started.promise;
    const revocation = { handle: 'subject', value: world.home.agent('agent') } as const;
    must(await revoke(world.home, revocation, { actor: 'test', atSeconds: nowSeconds() }));
    await stopped;
    expect(signal.aborted).toBe(true);
    await vi.waitFor(async () => {
      const { outcomes } = await world.entries(writ);
      expect(outcomes.at(-1)).toMatchObject({ status: 'terminated', code: 'revocation.revoked' });
    });
  });

  it('do not run when it is gone', async () => {
    await daemon.close();
    await expect(governRead(writ)({ path: '/a' })).rejects.toThrow(
      expect.objectContaining({ name: 'WritDenied' }),
    );
    expect(ran).toBe(0);
  });
});
