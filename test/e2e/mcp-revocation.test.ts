import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../src/codec/index.ts';
import { deny } from '../../src/denial/index.ts';
import { startGateway } from '../../src/enforce/mcp/gateway.test-support.ts';
import { connect, writJson } from './cli-program.ts';
import { fixtureServer } from './mcp-support.ts';

const { command, args } = fixtureServer('ticking-server.ts');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-e2e-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ticksOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** Resolves when nothing has been written to a file for eight of its ticks. */
async function whenSilent(file: string): Promise<string> {
  for (;;) {
    const before = ticksOf(file);
    await new Promise((resolve) => setTimeout(resolve, 400));
    if (ticksOf(file) === before) return before;
  }
}

describe('calls that run when their artifact is revoked', () => {
  it('end behind writ mcp: the effect stops, of a server that listens and of one that does not', async () => {
    await writJson(folder, 'init', '--server', 'ticks', '--', command, ...args);
    const client = await connect(folder, '--name', 'ticks', '--kill-grace', '1s', '--daemon', 'never');
    const files = ['heeds', 'ignores'].map((name) => join(folder, name));
    const [heeds = '', ignores = ''] = files;
    const call = (name: string, file: string) =>
      client.callTool({ name, arguments: { file } }).catch((error: { data?: JsonObject }) => error.data);
    const answers = [call('tick', heeds), call('tick_on', ignores)];
    await vi.waitFor(() => expect(files.map((file) => ticksOf(file).length > 1)).toEqual([true, true]), {
      timeout: 20_000,
    });
    await writJson(folder, 'artifact', 'revoke', '--artifact', 'agent-ticks', '--reason', 'test');
    for (const data of await Promise.all(answers)) {
      expect(data).toMatchObject({ code: 'revocation.revoked', effect: 'unknown' });
    }
    const ticked = await Promise.all(files.map(whenSilent));
    expect(ticked[0]).toMatch(/^\.+cancelled$/);
    expect(ticked[1]).toMatch(/^\.+$/);
    await client.close();
    const { decisions } = await writJson(folder, 'log', 'show');
    expect(decisions).toMatchObject([1, 2].map(() => ({ verdict: 'permit', outcome: 'terminated' })));
  });

  it('end in the stateless era, too; other calls of a server that is killed end as unknown', async () => {
    const gateway = startGateway({ upstream: { command, args }, limits: { killGraceMs: 100 } });
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const files = ['first', 'second'].map((name) => join(folder, name));
    for (const [id, file] of files.entries()) {
      const params = { name: 'tick_on', arguments: { file }, _meta };
      gateway.send({ jsonrpc: '2.0', id, method: 'tools/call', params });
    }
    await vi.waitFor(() => expect(files.map((file) => ticksOf(file).length > 1)).toEqual([true, true]), {
      timeout: 20_000,
    });
    gateway.governor.runs[0]?.abort.abort(deny('revocation.revoked', 'token'));
    expect(await gateway.answer(0)).toHaveProperty('error.data.code', 'revocation.revoked');
    expect(await gateway.answer(1)).toHaveProperty('error.data.effect', 'unknown');
    await Promise.all(files.map(whenSilent));
    expect(await gateway.exit).toMatchObject({ reason: 'upstream_failed', upstream: { signal: 'SIGKILL' } });
    expect(gateway.governor.runs.map(({ end }) => end?.status)).toEqual(['unknown', 'unknown']);
    expect(gateway.stderr()).toContain('went on with a call that was stopped');
  });
});
