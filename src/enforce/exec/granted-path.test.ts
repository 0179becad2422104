import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, constants, existsSync, mkdirSync, openSync, readSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isDenial } from '../../denial/index.ts';
import { makeOpenFolder, mustRead, runConfined, testConfiner } from './confined.test-support.ts';
import type { Confiner } from './confiner.ts';
import { closePaths, openPaths } from './granted-path.ts';

const { folder, remove } = makeOpenFolder();
const ended: (() => void)[] = [remove];
afterAll(() => {
  for (const end of ended.reverse()) end();
});

function makeFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
  return path;
}

function makePipe(path: string): string {
  execFileSync('mkfifo', ['-m', '666', path]);
  return path;
}

/** How a path fares that is asked for. */
function refusalOf(path: string, access: 'read' | 'write' = 'read'): string {
  const opened = openPaths({ read: [], write: [], [access]: [path], cwd: '/', hidden: [] });
  if (isDenial(opened)) return `${opened.code} ${opened.detail}`;
  closePaths(opened);
  return 'granted';
}

async function listen(path: string): Promise<{ readonly server: Server; readonly reached: () => number }> {
  let reached = 0;
  const server = createServer((socket) => {
    reached += 1;
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  ended.push(() => server.close());
  chmodSync(path, 0o777);
  return { server, reached: () => reached };
}

describe('what is never granted', () => {
  it.each([
    '/run',
    '/var/run',
    '/run/lock',
    '/dev',
    '/dev/shm',
    '/proc',
    '/proc/self',
    '/sys',
    '/sys/kernel',
  ])('%s', (path) => {
    if (!existsSync(path)) return;
    expect(refusalOf(path)).toMatch(
      /^scope.arguments_not_granted a granted path is (?:where the machine's|one the sandbox)/,
    );
    expect(refusalOf(path, 'write')).toMatch(/^scope.arguments_not_granted /);
  });

  it('a folder where an agent or a daemon listens, or where a pipe lies', async () => {
    const agent = makeFolder('ssh-agent');
    expect(refusalOf(agent)).toBe('granted');
    await listen(join(agent, 'agent.1'));
    expect(refusalOf(agent)).toMatch(/^scope.arguments_not_granted .*lead out of the sandbox/);
    expect(refusalOf(agent, 'write')).toMatch(/lead out/);
    const deep = makeFolder('pipes/a/b');
    makePipe(join(deep, 'control'));
    expect(refusalOf(deep)).toMatch(/lead out/);
    expect(refusalOf(join(folder, 'pipes'))).toMatch(/lead out/);
    // There it can make one itself, which must not keep it from its next run.
    expect(refusalOf(join(folder, 'pipes'), 'write')).toBe('granted');
  });

  // Only root can mount, and make devices.
  it.runIf(process.getuid?.() === 0)('the same under another name, or within', () => {
    const mounted = makeFolder('mounted');
    const at = makeFolder('mounted/at here');
    for (const what of ['/proc', '/sys', '/run']) {
      try {
        execFileSync('mount', ['--bind', what, at], { stdio: 'ignore' });
      } catch {
        return;
      }
      try {
        expect(refusalOf(at)).toMatch(/^scope.arguments_not_granted a granted path is /);
        if (what !== '/run') expect(refusalOf(mounted)).toMatch(/file system of the kernel's own/);
      } finally {
        execFileSync('umount', [at]);
      }
    }
    expect(refusalOf(mounted)).toBe('granted');
    const devices = makeFolder('devices');
    execFileSync('mknod', ['-m', '666', join(devices, 'null'), 'c', '1', '3']);
    expect(refusalOf(devices)).toMatch(/lead out/);
  });
});

const found = testConfiner();

describe.skipIf(found === undefined)('what leads out of a granted folder', () => {
  it.each(['read', 'write'] as const)('cannot be used from within, granted to %s', async (access) => {
    const granted = makeFolder(`${access}-granted`);
    // Beneath, where nobody looks for sockets: the kernel refuses them.
    const socket = join(makeFolder(`${access}-granted/deep`), 's');
    const { reached } = await listen(socket);
    const ran = await runConfined(
      found as Confiner,
      [
        '-e',
        `use Socket; my $s; for my $t (SOCK_STREAM, SOCK_DGRAM) { print socket($s, AF_UNIX, $t, 0) && connect($s, pack_sockaddr_un("${socket}")) ? "connected" : "none" } print -S "${socket}" ? " seen" : " hidden"`,
      ],
      { program: mustRead('/usr/bin/perl'), [access]: [granted] },
    );
    expect(ran).toMatchObject({ out: 'nonenone seen', exitCode: 0 });
    expect(reached()).toBe(0);
  });

  it('carries nothing out by a pipe in what is granted for reading', async () => {
    const granted = makeFolder('piped');
    const pipe = makePipe(join(granted, 'control'));
    const reading = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    ended.push(() => closeSync(reading));
    const ran = await runConfined(found as Confiner, ['-c', `echo secret > ${pipe}`], { read: [granted] });
    expect(ran).toMatchObject({ code: 'scope.arguments_not_granted' });
    expect(() => readSync(reading, Buffer.alloc(16))).toThrow(/EAGAIN/);
  });
});
