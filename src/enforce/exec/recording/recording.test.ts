import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isDenial } from '../../../denial/index.ts';
import { closePaths, openPaths } from '../granted-path.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { COPY_BOUNDS, copyPaths } from './copy-paths.ts';
import { narrowLimits } from './narrow-limits.ts';
import { MAX_NARROW_PATHS, narrowPaths } from './narrow-paths.ts';
import { findPathUse, type PathUse } from './path-use.ts';
import { TreeCopy } from './tree-copy.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-recording-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function use(path: string, more: Partial<PathUse> = {}): PathUse {
  return { path, kind: 'file', access: 'write', isRead: true, isChanged: false, ...more };
}

function narrowed(uses: readonly PathUse[], roots = ['/w']): readonly string[] {
  return narrowPaths(uses, roots).map(({ path, access }) => `${access} ${path}`);
}

describe('narrowed paths', () => {
  it('are the files that were used, and none that was not', () => {
    const uses = [use('/w/a'), use('/w/b', { isChanged: true }), use('/w/c', { isRead: false })];
    expect(narrowed(uses)).toEqual(['read /w/a', 'write /w/b']);
  });

  it('are a folder where it was listed, changed, or a link in it was followed; for writing where it holds what is written', () => {
    expect(narrowed([use('/w/d', { kind: 'folder' }), use('/w/d/e')])).toEqual(['read /w/d']);
    expect(narrowed([use('/w/d/l', { kind: 'link' })])).toEqual(['read /w/d']);
    expect(narrowed([use('/w/d', { kind: 'folder' }), use('/w/d/e', { isChanged: true })])).toEqual([
      'write /w/d',
    ]);
  });

  it('are never for writing where reading was granted, and never above what was granted', () => {
    expect(narrowed([use('/w/a', { access: 'read', isChanged: true })])).toEqual(['read /w/a']);
    expect(narrowed([use('/w/\u202ea')])).toEqual(['read /w']);
    const many = Array.from({ length: MAX_NARROW_PATHS + 1 }, (_, index) => use(`/w/m/${index}`));
    expect(narrowed([...many, use('/w/other')])).toEqual(['read /w/m', 'read /w/other']);
    expect(narrowed(many, ['/w/m'])).toEqual(['read /w/m']);
  });
});

describe('narrowed limits', () => {
  it('leave room, never exceed what was asked for, and stay where nothing was measured', () => {
    const limits = narrowLimits(DEFAULT_LIMITS, { wallMs: 21_000, memoryPeakBytes: 900 * 2 ** 20 });
    expect(limits.wallSeconds).toEqual({ proposed: 105, used: 21, asked: 600 });
    expect(limits.memoryBytes.proposed).toBe(DEFAULT_LIMITS.memoryBytes);
    expect(limits.cpuSeconds).toEqual({ proposed: 600, used: null, asked: 600 });
    expect(limits.fileBytes).toMatchObject({ proposed: DEFAULT_LIMITS.fileBytes, used: null });
    expect(limits.networkBytes.proposed).toBe(0);
  });
});

describe('copies', () => {
  it('tell what was read and written, follow no link, leave out trust domains, and are bounded', async () => {
    const source = join(folder, 'source');
    for (const path of ['', 'domain/keys', 'other/keys']) mkdirSync(join(source, path), { recursive: true });
    for (const path of ['read', 'written', 'idle', 'other/domain.json'])
      writeFileSync(join(source, path), 'x');
    symlinkSync('/etc/hostname', join(source, 'link'));
    const granted = openPaths({ read: [], write: [source], cwd: '/', hidden: [] });
    if (isDenial(granted)) throw new Error(granted.detail);
    const copyInto = (name: string, bounds?: { maxBytes: number; maxEntries: number; maxDepth: number }) => {
      mkdirSync(join(folder, name));
      const excluded = [join(source, 'domain'), join(folder, 'absent')];
      return copyPaths(granted, { folder: join(folder, name), excluded, ...(bounds && { bounds }) });
    };
    const copies = await copyInto('copies');
    if (isDenial(copies)) throw new Error(copies.detail);
    expect(copies.leftOut.secret).toEqual([join(source, 'domain'), join(source, 'other')]);
    const copy = join(folder, 'copies/0');
    readFileSync(join(copy, 'read'));
    writeFileSync(join(copy, 'written'), 'y');
    const used = findPathUse(copies.entries).filter(({ isRead, isChanged }) => isRead || isChanged);
    expect(used).toMatchObject([
      { path: join(source, 'read'), isRead: true, isChanged: false },
      { path: join(source, 'written'), isRead: false, isChanged: true },
    ]);
    expect(copies.entries.find(({ kind }) => kind === 'link')?.path).toBe(join(source, 'link'));
    expect(readFileSync(join(source, 'written'), 'utf8')).toBe('x');
    closePaths(copies.standIns);
    for (const [name, bound] of [
      ['bytes', { maxBytes: 2 }],
      ['entries', { maxEntries: 3 }],
    ] as const) {
      const bounds = { maxBytes: 100, maxEntries: 100, maxDepth: 9, ...bound };
      expect(await copyInto(name, bounds)).toMatchObject({ code: 'request.too_large' });
    }
    closePaths(granted);
  });

  it('are not made of a pipe that took the place of a file', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const source = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    const tree = new TreeCopy({ secret: new Set(), bounds: COPY_BOUNDS });
    const copy = join(folder, 'copy-of-pipe');
    expect(tree.copyFile(source, { path: pipe, copy, access: 'read', depth: 0 })).toBeUndefined();
    expect([existsSync(copy), tree.leftOut.other]).toEqual([false, 1]);
    closeSync(source);
  });

  it('are not made of what lies in a trust domain, whoever it belongs to', async () => {
    const domain = join(folder, 'elsewhere');
    mkdirSync(join(domain, 'keys'), { recursive: true });
    for (const name of ['domain.json', 'keys/issuer.pem']) writeFileSync(join(domain, name), 'x');
    for (const [index, path] of [domain, join(domain, 'keys'), join(domain, 'keys/issuer.pem')].entries()) {
      const granted = openPaths({ read: [path], write: [], cwd: '/', hidden: [] });
      if (isDenial(granted)) throw new Error(granted.detail);
      const into = join(folder, `into-${index}`);
      mkdirSync(into);
      expect(await copyPaths(granted, { folder: into, excluded: [] })).toMatchObject({
        code: 'scope.arguments_not_granted',
      });
      expect(readdirSync(into)).toEqual([]);
      closePaths(granted);
    }
  });
});
