import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { writ } from '../../src/cli/run.test-support.ts';
import { testConfiner } from '../../src/enforce/exec/confined.test-support.ts';
import { connect, endOf, startWrit, writJson } from './cli-program.ts';

const SERVER = createRequire(import.meta.url).resolve(
  '@modelcontextprotocol/server-filesystem/dist/index.js',
);
/** The published package, and what it needs. */
const MODULES = dirname(dirname(dirname(dirname(SERVER))));

describe.skipIf(testConfiner() === undefined)('a filesystem server behind writ mcp --confine', () => {
  let folder = '';
  let work = '';
  let domain = '';

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'writ-confine-'));
    chmodSync(folder, 0o755);
    work = join(folder, 'work');
    domain = join(folder, 'domain');
    mkdirSync(work);
    mkdirSync(domain);
    writeFileSync(join(work, 'notes.txt'), 'remember the milk\n');
    // Everybody may read it: only the sandbox keeps the server from it.
    writeFileSync(join(folder, 'secret.txt'), 'for nobody\n');
    symlinkSync(join(folder, 'secret.txt'), join(work, 'link.txt'));
    const home = ['--home', join(domain, '.writ')];
    await writJson(folder, ...home, 'init', '--server', 'fs', '--', process.execPath, SERVER, work);
    await writJson(
      folder,
      ...home,
      ...['exec', 'adopt', 'fs-server', '--effects', 'read', '--any-arguments', '--time', '1h'],
      ...['--read', MODULES, '--read', work, '--', process.execPath],
    );
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const home = (): string[] => ['--home', join(domain, '.writ')];
  /** The server is told that all of the folder is its root, the trust domain included: it would serve that. */
  const line = (...more: string[]): string[] => [
    ...['--name', 'fs', '--daemon', 'never', '--confine', ...more],
    ...['--', 'fs-server', SERVER, folder],
  ];
  const read = async (client: Client, path: string): Promise<string> =>
    JSON.stringify(await client.callTool({ name: 'read_text_file', arguments: { path } }));

  it('serves what was granted; what its root holds beyond that is not there for it', async () => {
    const client = await connect(domain, ...line());
    try {
      expect(await read(client, join(work, 'notes.txt'))).toContain('remember the milk');
      const keys = join(domain, '.writ', 'keys');
      const files = [
        join(work, 'link.txt'),
        join(folder, 'secret.txt'),
        ...readdirSync(keys).map((file) => join(keys, file)),
        '/etc/shadow',
        '/proc/1/environ',
      ];
      expect(files.length).toBeGreaterThan(4);
      for (const file of files) {
        const answer = await read(client, file).catch((error: unknown) => String(error));
        expect(answer).not.toContain('for nobody');
        expect(answer).toMatch(/ENOENT|denied|error/i);
      }
      // Not the server's own doing, to which the file lies within its root.
      expect(await read(client, join(folder, 'secret.txt'))).toContain('ENOENT');
    } finally {
      await client.close();
    }
    const { decisions } = await writJson(folder, ...home(), 'log', 'show', '--log', 'exec-fs-server');
    expect(decisions).toMatchObject([{ verdict: 'permit', tool: 'exec://fs-server/run' }]);
  }, 60_000);

  it('is confined over HTTP, too: what a link in its root leads to is not there for it', async () => {
    const [, , ...rest] = line('--listen', '127.0.0.1:0', '--console-url', 'https://writ.example/');
    const served = startWrit(domain, '--json', 'mcp', 'serve', '--name', 'fs', ...rest);
    try {
      const url = await new Promise<string>((resolve, reject) => {
        served.stdout.once('data', (chunk: Buffer) => resolve(String(JSON.parse(chunk.toString()).url)));
        served.once('close', (code) => reject(new Error(`writ mcp serve ended with ${code}`)));
      });
      const client = new Client({ name: 'test', version: '1' });
      const transport = new StreamableHTTPClientTransport(new URL(url));
      await client.connect(transport as Parameters<typeof client.connect>[0]);
      expect(await read(client, join(work, 'notes.txt'))).toContain('remember the milk');
      for (const file of [join(work, 'link.txt'), join(folder, 'secret.txt')]) {
        const answer = await read(client, file).catch((error: unknown) => String(error));
        expect(answer).not.toContain('for nobody');
        expect(answer).toMatch(/ENOENT|denied|error/i);
      }
      await client.close();
    } finally {
      served.kill('SIGTERM');
      await new Promise((resolve) => served.once('close', resolve));
    }
    const serve = (...more: string[]) =>
      writ({ cwd: folder }, ...home(), 'mcp', 'serve', '--name', 'fs', ...more);
    expect((await serve('--read', '/opt', '--', 'x')).err).toContain('--read without --confine');
    expect((await serve('--console-url', 'javascript:x', '--', 'x')).err).toContain('no http or https URL');
    const remote = await serve('--confine', '--artifact', 'a', '--upstream', 'a=https://mcp.example/');
    expect(remote.err).toContain('no server is a process of ours');
  }, 60_000);

  it('ends with the gateway, even where that is killed', async () => {
    const gateway = startWrit(folder, ...home(), 'mcp', ...line());
    const mark = `${SERVER}\0${folder}\0`;
    const servers = (): readonly string[] =>
      readdirSync('/proc').filter((pid) => {
        try {
          return (
            /^\d+$/.test(pid) &&
            readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(`${process.execPath}\0${mark}`)
          );
        } catch {
          return false;
        }
      });
    try {
      await vi.waitFor(() => expect(servers().length).toBe(1), { timeout: 30_000, interval: 20 });
    } finally {
      gateway.kill('SIGKILL');
    }
    await vi.waitFor(() => expect(servers()).toEqual([]), { timeout: 10_000, interval: 20 });
  }, 60_000);

  it('is refused more than was granted, and options that would bind nothing', async () => {
    const gateway = startWrit(folder, ...home(), 'mcp', ...line('--read', '/opt'));
    const more = await endOf(gateway);
    expect(more.code).toBe(1);
    expect(more.err).toContain('scope.arguments_not_granted');
    const mcp = (...rest: string[]) => writ({ cwd: folder }, ...home(), 'mcp', '--name', 'fs', ...rest);
    expect(await mcp('--net', 'example.org:443', '--', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--net without --confine'),
    });
    expect((await mcp('--confine', '--', '/bin/cat')).err).toContain('program.unadopted');
  }, 60_000);
});
