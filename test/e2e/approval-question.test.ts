import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/codec/index.ts';
import { installDebianPackages, tellSkipped } from '../support/debian-packages.ts';
import { PROGRAM, writJson } from './cli-program.ts';
import { fixtureServer } from './mcp-support.ts';

const KEYGEN = '/usr/bin/ssh-keygen';
if (!existsSync(KEYGEN)) installDebianPackages('openssh-client');
const hasSsh = existsSync(KEYGEN);
if (!hasSsh) tellSkipped('the question for approval', 'OpenSSH is not installed');

describe.skipIf(!hasSsh)('a client of the era of multi round-trip requests', () => {
  const { command, args } = fixtureServer('modern-server.ts');
  let folder = '';
  let client: Client;
  /** What people were shown, and what they then did. */
  const urls: string[] = [];
  let decide: (request: string) => Promise<'accept' | 'decline'>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'writ-question-'));
    execFileSync(KEYGEN, ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'ada')]);
    const cli = (...argv: readonly string[]) => writJson(folder, ...argv);
    await cli('init', '--server', 's', '--', command, ...args);
    await cli('approval', 'enroll', 'ada', '--role', 'operator', '--key', 'ada.pub');
    await cli(
      ...['artifact', 'issue', '--agent', 'agent', '--tool', 'mcp://s/tools/add', '--audience', 's'],
      ...['--approval', 'operator:1', '--out', 'agent-s', '--replace'],
    );
    client = new Client(
      { name: 'test', version: '1' },
      { capabilities: { elicitation: { url: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      if (params.mode !== 'url') throw new Error('not a question with a URL');
      urls.push(params.url);
      return { action: await decide(params.url.split('/').at(-1) ?? '') };
    });
    const gateway = ['mcp', '--name', 's', '--daemon', 'never', '--console-url', 'https://writ.example/'];
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [PROGRAM, ...gateway, '--', command, ...args],
        cwd: folder,
        stderr: 'ignore',
      }),
    );
  }, 60_000);
  afterAll(async () => {
    await client.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const add = () => client.callTool({ name: 'add', arguments: { a: 1, b: 2 } });
  async function decisions(): Promise<unknown[]> {
    const { decisions: all } = await writJson(folder, 'log', 'show');
    return (all as unknown as JsonObject[]).map(({ code, verdict }) => code ?? verdict);
  }

  it('is shown where to approve, and its repeated call runs once it was approved', async () => {
    decide = async (request) => {
      await writJson(folder, 'approval', 'grant', request, '--key', 'ada', '--reason', 'seen');
      return 'accept';
    };
    expect(await add()).toMatchObject({ content: [{ text: '3' }] });
    expect(urls).toEqual([expect.stringMatching(/^https:\/\/writ\.example\/approvals\/[0-9a-f-]{36}$/)]);
    expect((await decisions()).sort()).toEqual(['approval.required', 'permit']);
  }, 60_000);

  it('is asked again for the same call, and gets nothing where people did not approve', async () => {
    decide = async () => 'accept';
    await expect(add()).rejects.toThrow();
    expect(urls.length).toBeGreaterThan(1);
    expect((await decisions()).filter((code) => code === 'permit')).toHaveLength(1);
  }, 60_000);

  it('gets nothing where they rejected it, however often it repeats the call', async () => {
    decide = async (request) => {
      await writJson(folder, 'approval', 'deny', request, '--key', 'ada', '--reason', 'no');
      return 'accept';
    };
    await expect(add()).rejects.toMatchObject({ data: { code: 'approval.rejected' } });
    expect((await decisions()).filter((code) => code === 'permit')).toHaveLength(1);
  }, 60_000);
});
