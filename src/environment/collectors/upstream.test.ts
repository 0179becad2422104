import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { measurementOf } from '../measurement.ts';
import { measureEnforcer } from './enforcer.ts';
import { measureUpstream, type UpstreamCommand } from './upstream.ts';

const SERVER = '@modelcontextprotocol/server-filesystem';
const repository = fileURLToPath(new URL('../../..', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'writ-upstream-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function measure(command: string, args: readonly string[] = [], more: Partial<UpstreamCommand> = {}) {
  const measured = await measureUpstream({
    command,
    args,
    cwd: folder,
    searchPath: dirname(process.execPath),
    npmCache: join(folder, 'npm-cache'),
    ...more,
  });
  if (isDenial(measured)) throw new Error(measured.detail);
  // Whatever was found must make a measurement.
  measurementOf(measured.components, 'self', 0);
  return {
    ...measured,
    labels: measured.components.map(({ kind, name }) => `${kind}/${name}`),
    digestOf: (kind: string, name: string) =>
      measured.components.find((component) => component.kind === kind && component.name === name)?.digest,
  };
}

/** The published server, installed in a folder of the test's own. */
function installServer(root = folder): string {
  const path = join(root, 'node_modules', SERVER);
  cpSync(join(repository, 'node_modules', SERVER), path, { recursive: true });
  writeFileSync(join(root, 'node_modules/.package-lock.json'), '{"lockfileVersion":3}');
  mkdirSync(join(root, 'node_modules/.bin'), { recursive: true });
  chmodSync(join(path, 'dist/index.js'), 0o755);
  symlinkSync(`../${SERVER}/dist/index.js`, join(root, 'node_modules/.bin/mcp-server-filesystem'));
  return path;
}

const SERVER_LABELS = [`lockfile/${SERVER}`, `package/${SERVER}`, `upstream/${SERVER}`, 'upstream/node'];

test('node with a script: the binary, the entry file, its package and its lockfile', async () => {
  const entry = join(installServer(), 'dist/index.js');
  const measured = await measure('node', ['--enable-source-maps', entry, '/some/secret/folder']);
  expect(measured.labels).toEqual(SERVER_LABELS);
  expect(measured.entryPath).toBe(entry);
  expect(measured.digestOf('upstream', SERVER)).toBe(digestOf(readFileSync(entry)));
  expect(measured.digestOf('lockfile', SERVER)).toBe(digestOf('{"lockfileVersion":3}'));
  const node = createHash('sha256').update(readFileSync(process.execPath)).digest('hex');
  expect(measured.digestOf('upstream', 'node')).toBe(`sha256:${node}`);
});

test('a bin link and npx lead to the same entry', async () => {
  installServer();
  const bin = join(folder, 'node_modules/.bin');
  const linked = await measure('mcp-server-filesystem', ['/tmp'], {
    searchPath: `${bin}:${dirname(process.execPath)}`,
  });
  expect(linked.labels).toEqual(SERVER_LABELS);

  const { version } = JSON.parse(readFileSync(join(folder, 'node_modules', SERVER, 'package.json'), 'utf8'));
  writeFileSync(join(bin, 'npx'), '#!/usr/bin/env node\n', { mode: 0o755 });
  const viaNpx = await measure('npx', ['-y', `${SERVER}@${version}`, '/tmp'], {
    searchPath: `${bin}:${dirname(process.execPath)}`,
  });
  expect(viaNpx.entryPath).toBe(linked.entryPath);
  for (const label of SERVER_LABELS) expect(viaNpx.labels).toContain(label);
  expect(viaNpx.labels).toContain('upstream/npx');
});

test('npx finds what it fetched before, and measures itself alone where it has fetched nothing', async () => {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'npx'), '#!/usr/bin/env node\n', { mode: 0o755 });
  const searchPath = `${bin}:${dirname(process.execPath)}`;
  const before = await measure('npx', ['-y', SERVER], { searchPath });
  expect(before.labels).toEqual(['upstream/node', 'upstream/npx']);
  const key = createHash('sha512').update(SERVER).digest('hex').slice(0, 16);
  installServer(join(folder, 'npm-cache/_npx', key));
  const after = await measure('npx', ['-y', SERVER], { searchPath });
  expect(after.labels).toEqual([...SERVER_LABELS, 'upstream/npx']);
});

test('a change of any file of the installed package is seen, the entry file or not', async () => {
  const server = installServer();
  const args = [join(server, 'dist/index.js'), '/tmp'];
  const before = await measure('node', args);
  appendFileSync(join(server, 'dist/lib.js'), '\n// changed');
  const libraryChanged = await measure('node', args);
  expect(libraryChanged.digestOf('upstream', SERVER)).toBe(before.digestOf('upstream', SERVER));
  expect(libraryChanged.digestOf('package', SERVER)).not.toBe(before.digestOf('package', SERVER));
  appendFileSync(join(server, 'dist/index.js'), '\n// changed');
  const entryChanged = await measure('node', args);
  expect(entryChanged.digestOf('upstream', SERVER)).not.toBe(before.digestOf('upstream', SERVER));
  writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{"lockfileVersion":4}');
  const lockChanged = await measure('node', args);
  expect(lockChanged.digestOf('lockfile', SERVER)).not.toBe(before.digestOf('lockfile', SERVER));
});

test("arguments do not get into the measurement, nor does a project's own folder", async () => {
  writeFileSync(join(folder, 'server.mjs'), 'export {};');
  writeFileSync(join(folder, 'package.json'), '{"name":"my-server"}');
  writeFileSync(join(folder, 'token'), 'hunter2');
  const measured = await measure('node', ['server.mjs', '--api-key', 'hunter2', '--token-file', 'token']);
  expect(measured.labels).toEqual(['upstream/my-server', 'upstream/node']);
  expect(await measure('node', ['server.mjs', '--api-key', 'other'])).toMatchObject({
    components: measured.components,
  });
  expect(JSON.stringify(measured.components)).not.toContain('hunter2');
});

test.each<[string, string[]]>([
  ['flags with values before it', ['--import', './hook.mjs', '-C', 'dev', 'server.mjs']],
  ['two dashes before it', ['--', 'server.mjs', '--flag']],
  ['no suffix', ['./server']],
])('the script of node is found with %s', async (_name, args) => {
  for (const name of ['server.mjs', 'server.js', 'hook.mjs']) writeFileSync(join(folder, name), '');
  expect((await measure('node', args)).entryPath).toMatch(/\/server\.m?js$/);
});

test.each<[string, string[]]>([
  ['text to evaluate', ['-e', 'server.mjs']],
  ['a module', ['--input-type', 'module']],
  ['nothing', []],
  ['a file that is not there', ['absent.mjs']],
  ['a folder without an entry', ['.']],
])('node given %s has no entry, and a binding on one would not hold', async (_name, args) => {
  writeFileSync(join(folder, 'server.mjs'), '');
  expect((await measure('node', args)).labels).toEqual(['upstream/node']);
});

test('a shell script is measured with its interpreter; a program with itself alone', async () => {
  writeFileSync(join(folder, 'run.sh'), '#!/bin/sh\nexec true\n', { mode: 0o755 });
  const shell = await measure('./run.sh');
  expect(shell.labels).toContain('upstream/run.sh');
  expect(shell.components).toHaveLength(2);
  const again = await measure('sh', ['run.sh'], { searchPath: '/bin:/usr/bin' });
  expect(again.labels).toEqual(shell.labels);
  const program = await measure('ls', ['run.sh'], { searchPath: '/bin:/usr/bin' });
  expect(program.labels).toEqual(['upstream/ls']);
});

test('a script called like its interpreter is told apart from it', async () => {
  writeFileSync(join(folder, 'node'), '#!/usr/bin/env node\n', { mode: 0o755 });
  expect((await measure('./node')).labels).toEqual(['upstream/node', 'upstream/node#2']);
});

test('a name that no manifest should have does not get into a component', async () => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'evil\u202e\n/../name' }));
  writeFileSync(join(folder, 'a\u202eb.mjs'), '');
  expect((await measure('node', ['a\u202eb.mjs'])).labels).toEqual([
    'upstream/a\ufffdb.mjs',
    'upstream/node',
  ]);
});

test.each<[string, string]>([
  ['is not there', 'absent'],
  ['is not executable', './plain'],
  ['is a folder', './folder'],
  ['has an interpreter that is not there', './orphan'],
  ['leads to itself', './loop'],
  ['holds a NUL', 'a\0b'],
])('a command that %s leaves the environment unmeasured', async (_name, command) => {
  writeFileSync(join(folder, 'plain'), '', { mode: 0o644 });
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'orphan'), '#!/absent/interpreter\n', { mode: 0o755 });
  symlinkSync('loop', join(folder, 'loop'));
  const measured = await measureUpstream({ command, args: [], cwd: folder, searchPath: folder });
  expect(measured).toMatchObject({ code: 'environment.unmeasured' });
  expect(isDenial(measured) && measured.detail).not.toContain(folder);
});

test('the enforcer is its Node binary, its own files and its lockfile', async () => {
  const components = await measureEnforcer();
  expect(components.map(({ kind }) => kind)).toEqual(['node', 'writ', 'lockfile']);
  const node = createHash('sha256').update(readFileSync(process.execPath)).digest('hex');
  expect(components[0]).toEqual({ kind: 'node', name: process.version, digest: `sha256:${node}` });
  expect(components[1]?.name).toMatch(/^\d+\.\d+\.\d+/);
});
