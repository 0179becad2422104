import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpClient } from '../../../test/support/daemon-client.ts';
import { nowSeconds, READ, TestDomain, WRITE } from '../../../test/support/trust-domain.ts';
import type { Action } from '../../decision/index.ts';
import { deny, isDenial } from '../../denial/index.ts';
import {
  type ConnectedGovernor,
  connectGovernor,
  findExecution,
  listExecutionLogs,
  type Outcome,
  programVersion,
  revoke,
  systemClock,
} from '../../governor/index.ts';
import { Daemon, type DaemonOptions } from './daemon.ts';
import { createLogger } from './logger.ts';

let domain: TestDomain;
let daemon: Daemon;
let connected: ConnectedGovernor;

const logger = createLogger(new Writable({ write: (_chunk, _encoding, done) => done() }));

async function startDaemon(change: Partial<DaemonOptions> = {}): Promise<Daemon> {
  const started = await Daemon.start({
    home: domain.home,
    clock: systemClock,
    version: programVersion(),
    logger,
    drainMs: 200,
    ...change,
  });
  if (isDenial(started)) throw new Error(started.detail);
  return started;
}

async function connectPoint(name = 'fs'): Promise<ConnectedGovernor> {
  const point = await connectGovernor({ home: domain.home, name, components: [] });
  if (point === undefined || isDenial(point)) throw new Error(point?.detail ?? 'no daemon');
  return point;
}

beforeEach(async () => {
  domain = await TestDomain.create();
  daemon = await startDaemon();
  connected = await connectPoint();
});
afterEach(async () => {
  await connected.close();
  await daemon.close();
  domain.dispose();
});

const codeOf = (outcome: Outcome<unknown>) => (outcome.verdict === 'permit' ? 'permit' : outcome.denial.code);
const succeed = async () => ({ status: 'succeeded', value: 'done' }) as const;

function recordOf({ executionId }: Pick<Outcome<unknown>, 'executionId'>) {
  const found = findExecution(domain.home, executionId);
  found?.reader.close();
  return found?.record;
}

function call(overrides: Partial<Action> = {}): Action {
  return { ...domain.call([domain.issue()], { audience: connected.audience }), ...overrides };
}

describe('a governor behind a socket', () => {
  it('ends when its home was deleted, though something made the folder anew', async () => {
    const end = daemon.untilEnd(new AbortController().signal);
    const { folder, daemonFile } = domain.home;
    rmSync(folder, { recursive: true });
    // As whatever was writing a file there at that moment would.
    mkdirSync(dirname(daemonFile), { recursive: true });
    writeFileSync(daemonFile, '{}');
    await end;
  });

  it('permits and denies as one in process does, at the same stages', async () => {
    const presented = call();
    const actions: readonly (readonly [Action, string])[] = [
      [presented, 'permit'],
      [presented, 'replay.detected'],
      [call({ presentation: undefined }), 'artifact.missing'],
      [call({ presentation: deny('artifact.malformed', 'not parsed') }), 'artifact.malformed'],
      [call({ tool: READ }), 'identity.proof_invalid'],
      [call({ args: { path: '/other' } }), 'identity.proof_invalid'],
      [call({ refusal: deny('environment.tool_changed', 'seen') }), 'environment.tool_changed'],
      [call({ tool: '' }), 'request.malformed'],
      [
        domain.call([domain.issue({ tools: { [READ]: {} } })], { audience: connected.audience, tool: WRITE }),
        'scope.tool_not_granted',
      ],
    ];
    const codes: string[] = [];
    for (const [action] of actions) codes.push(codeOf(await connected.governor.run(action, succeed)));
    expect(codes).toEqual(actions.map(([, code]) => code));
  });

  it('runs no effect that is denied, and records both before the answer', async () => {
    let runs = 0;
    const effect = async () => {
      runs += 1;
      return succeed();
    };
    const denied = await connected.governor.run(call({ presentation: undefined }), effect);
    expect([codeOf(denied), runs]).toEqual(['artifact.missing', 0]);
    const permitted = await connected.governor.run(call(), effect);
    expect([codeOf(permitted), runs]).toEqual(['permit', 1]);
    expect(recordOf(denied)?.decision).toMatchObject({ verdict: 'deny', code: 'artifact.missing' });
    expect(recordOf(permitted)?.decision).toMatchObject({ verdict: 'permit' });
  });

  it('knows a proof that was used through another session of the enforcement point', async () => {
    const second = await connectPoint();
    const presented = call();
    const outcomes = await Promise.all(
      [connected, second, connected, second].map(({ governor }) => governor.run(presented, succeed)),
    );
    expect(outcomes.map(codeOf).toSorted()).toEqual([
      'permit',
      'replay.detected',
      'replay.detected',
      'replay.detected',
    ]);
    await second.close();
  });

  it('takes no late outcome of what runs, nor of what has one, and one of what was left', async () => {
    let during: unknown;
    const ran = await connected.governor.run(call(), async ({ id }) => {
      during = await connected.concludeLater(id, { status: 'failed' });
      return succeed();
    });
    expect(during).toMatchObject({ code: 'request.malformed' });
    // Told before the first one need have become durable.
    const after = await connected.concludeLater(ran.executionId, { status: 'failed' });
    expect(after).toMatchObject({ code: 'replay.detected' });
    expect(recordOf(ran)?.outcome?.status).toBe('succeeded');
    const nowhere = new HttpClient(daemon.socketPath);
    const unknown = await nowhere.send(
      'POST',
      `/v1/enforcement-points/made-up/executions/${ran.executionId}/outcome`,
      {
        headers: { 'content-type': 'application/json' },
        body: '{"status":"succeeded"}',
      },
    );
    nowhere.close();
    expect([unknown.status, listExecutionLogs(domain.home)]).toEqual([404, ['fs']]);
    const left = await connected.governor.run(call(), async () => ({ ...(await succeed()), isLeft: true }));
    expect(recordOf(left)?.outcome).toBeUndefined();
    const told = await Promise.all(
      ['succeeded', 'failed'].map(() => connected.concludeLater(left.executionId, { status: 'succeeded' })),
    );
    expect(told.filter((refused) => refused === undefined)).toHaveLength(1);
    expect(recordOf(left)?.outcome?.status).toBe('succeeded');
  });

  it('denies a call that comes after a revocation has returned', async () => {
    const chain = [domain.issue()];
    expect(
      codeOf(await connected.governor.run(domain.call(chain, { audience: connected.audience }), succeed)),
    ).toBe('permit');
    const subject = domain.home.agent('worker');
    const revocation = { handle: 'subject', value: subject } as const;
    expect(await revoke(domain.home, revocation, { actor: 'test', atSeconds: nowSeconds() })).toBeUndefined();
    expect(
      codeOf(await connected.governor.run(domain.call(chain, { audience: connected.audience }), succeed)),
    ).toBe('revocation.revoked');
  });

  it('stops what runs when a revocation returns, and passes on no result of it', async () => {
    const deaf: { started?: () => void; finish?: () => void } = {};
    const begun = new Promise<void>((resolve) => {
      deaf.started = resolve;
    });
    let reason: unknown;
    // It hears of its end and goes on to its result all the same.
    const outcome = connected.governor.run(call(), async ({ signal }) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
        deaf.finish?.();
      });
      deaf.started?.();
      await new Promise<void>((resolve) => {
        deaf.finish = resolve;
      });
      return succeed();
    });
    await begun;
    const revocation = { handle: 'subject', value: domain.home.agent('worker') } as const;
    expect(await revoke(domain.home, revocation, { actor: 'test', atSeconds: nowSeconds() })).toBeUndefined();
    expect(codeOf(await outcome)).toBe('revocation.revoked');
    expect(isDenial(reason) && reason.code).toBe('revocation.revoked');
    await expect
      .poll(async () => recordOf(await outcome)?.outcome)
      .toMatchObject({ status: 'terminated', code: 'revocation.revoked' });
  });

  it('decides on no tool definitions that the daemon did not take', async () => {
    let runs = 0;
    const effect = async () => {
      runs += 1;
      return succeed();
    };
    // Without a digest, so it is refused: what the daemon measured last is no longer what there is.
    connected.setTools([{ id: 'mcp://fs/tools/x', digest: 'none' as never }]);
    const denied = await connected.governor.run(call(), effect);
    expect([codeOf(denied), runs]).toEqual(['log.unavailable', 0]);
    connected.setTools([]);
    await expect.poll(async () => codeOf(await connected.governor.run(call(), effect))).toBe('permit');
    expect(runs).toBe(1);
  });

  it('a server that lists what cannot be measured does not end the session for what else there is', async () => {
    const digest = `sha256:${'0'.repeat(64)}` as const;
    // A name of a thousand characters, percent-encoded, is no component's.
    connected.setTools(
      ['x', 'é'.repeat(900)].map((name) => ({ id: `mcp://fs/tools/${encodeURIComponent(name)}`, digest })),
    );
    expect(codeOf(await connected.governor.run(call(), succeed))).toBe('permit');
    const long = Array.from({ length: 4096 }, (_, at) => ({
      id: `mcp://fs/tools/${'x'.repeat(1000)}${at}`,
      digest,
    }));
    expect(() => connected.setTools(long)).toThrow(TypeError);
    expect(codeOf(await connected.governor.run(call(), succeed))).toBe('permit');
  });

  it('stops what runs when what was measured of its runtime is no longer what it is bound to', async () => {
    const component = { kind: 'upstream', name: 'job', digest: `sha256:${'0a'.repeat(32)}` } as const;
    const at = Math.floor(Date.now() / 1000);
    const bound = domain.issue({ writ: { environment: { components: [component] } } });
    const bind = () => call(domain.call([bound], { audience: connected.audience }));
    connected.setComponents([{ ...component, collector: 'program', at }], at);
    let started: (value?: unknown) => void = () => {};
    const running = new Promise((resolve) => {
      started = resolve;
    });
    const outcome = connected.governor.run(bind(), async ({ signal }) => {
      started();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      return succeed();
    });
    await running;
    connected.setComponents([{ ...component, digest: `sha256:${'0b'.repeat(32)}` }], at);
    expect(codeOf(await outcome)).toBe('environment.mismatch');
    expect(codeOf(await connected.governor.run(bind(), succeed))).toBe('environment.mismatch');
  });

  it('stops what runs when the daemon goes down, and does not report success', async () => {
    let started: (value?: unknown) => void = () => {};
    const running = new Promise((resolve) => {
      started = resolve;
    });
    let reason: unknown;
    const outcome = connected.governor.run(call(), async ({ signal }) => {
      started();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      reason = signal.reason;
      return succeed();
    });
    await running;
    await daemon.close();
    expect(codeOf(await outcome)).toBe('log.unavailable');
    expect(isDenial(reason)).toBe(true);
    // Nobody knows whether it did what it was to do: the record says so.
    expect(recordOf(await outcome)?.outcome).toMatchObject({ status: 'unknown' });
    let ran = false;
    const next = await connected.governor.run(call(), async () => {
      ran = true;
      return succeed();
    });
    expect([codeOf(next), ran]).toEqual(['log.unavailable', false]);
  });

  it('records as of unknown outcome what ran in an enforcement point that vanished', async () => {
    const vanishing = await connectPoint('web');
    let started: (value?: unknown) => void = () => {};
    const running = new Promise((resolve) => {
      started = resolve;
    });
    const action = domain.call([domain.issue({ audiences: [vanishing.audience] })], {
      audience: vanishing.audience,
    });
    const outcome = vanishing.governor.run(action, async ({ id }) => {
      started(id);
      await new Promise(() => undefined);
      return succeed();
    });
    void outcome.catch(() => undefined);
    const id = String(await running);
    // As when its process dies: the connection breaks, nothing more is said.
    void vanishing.close();
    await expect.poll(() => recordOf({ executionId: id })?.outcome).toMatchObject({ status: 'unknown' });
  });

  it('ends when nobody has been connected for its time', async () => {
    await connected.close();
    await daemon.close();
    daemon = await startDaemon({ idleExitMs: 1 });
    expect(daemon.status().idleExitSeconds).toBe(0.001);
    await daemon.untilEnd(new AbortController().signal);
    daemon.stay();
    expect(daemon.status().idleExitSeconds).toBeUndefined();
  });
});
