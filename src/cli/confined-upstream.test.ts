import { chmodSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { must } from '../../test/support/trust-domain.ts';
import { digestOf } from '../codec/index.ts';
import { DEFAULT_LIMITS, readProgram } from '../enforce/exec/index.ts';
import { CONFINEMENT_LAYERS } from '../environment/index.ts';
import { openHome } from '../governor/index.ts';
import { confineUpstream } from './confined-upstream.ts';
import { measureUpstreams, stdioUpstream } from './mcp-upstreams.ts';
import { writeProgram } from './program-file.ts';
import { makeFolder, writ } from './run.test-support.ts';
import { processSurroundings } from './surroundings.ts';

describe('the confinement around a server', () => {
  const { folder, remove } = makeFolder();
  afterAll(remove);

  it('finds the server without reading it: writ exec reads, hashes and decides on what it runs', async () => {
    expect((await writ({ cwd: folder }, 'init')).code).toBe(0);
    const home = must(openHome(join(folder, '.writ')));
    const path = join(folder, 'server');
    writeFileSync(path, '');
    chmodSync(path, 0o755);
    // Whoever reads it finds it too large; on disk there is nothing of it.
    truncateSync(path, 600 * 1024 * 1024);
    expect(readProgram(path)).toMatchObject({ code: 'request.too_large' });
    writeProgram(home, 'files', {
      path,
      digest: digestOf(Buffer.from('')),
      effects: 'read',
      read: [],
      write: [],
      network: [],
      env: {},
      limits: DEFAULT_LIMITS,
    });
    const surroundings = { ...processSurroundings(), cwd: folder };
    for (const command of ['files', path]) {
      const server = { command, args: ['--root', '/srv'], cwd: folder };
      const confined = confineUpstream(home, surroundings, server, { daemon: 'never' });
      expect(confined.measured).toEqual({ command: path, args: server.args, cwd: folder });
      expect(confined.command.args.slice(-4)).toEqual(['--', 'files', '--root', '/srv']);
    }
    // As writ mcp has it, writ mcp serve measures what confines its servers, too.
    const served = stdioUpstream('fs', { command: 'files', args: [], cwd: folder }, home, surroundings, {
      daemon: 'never',
    });
    const measured = await measureUpstreams(home, surroundings, [{ ...served, command: undefined }]);
    expect(measured.filter(({ kind }) => kind === 'confinement')).toHaveLength(CONFINEMENT_LAYERS.length);
    expect(measured.map(({ kind }) => kind)).toContain('writ');
    const other = { command: '/bin/cat', args: [], cwd: folder };
    expect(() => confineUpstream(home, surroundings, other, { daemon: 'never' })).toThrow('was adopted');
  });
});
