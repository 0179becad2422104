import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isDenial } from '../denial/index.ts';
import { DOMAIN, findHomeFolder, isDomainName, isLocalName, openHome, writeFileDurably } from './home.ts';
import { readEvidenceKey } from './index.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-home-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

let made = 0;
function home(content: unknown = { type: DOMAIN, name: 'd.test', governanceVkey: 'v' }): string {
  made += 1;
  const folder = join(base, `home-${made}`, '.writ');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  writeFileSync(join(folder, 'domain.json'), text, { mode: 0o644 });
  return folder;
}

const detailOf = (folder: string) => {
  const opened = openHome(folder);
  return isDenial(opened) ? opened.detail : 'opened';
};

describe('openHome', () => {
  it('opens what is a home', () => {
    expect(detailOf(home())).toBe('opened');
  });

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['noise', '{{'],
    ['two names', '{"type":"writ/domain@v1","name":"a","name":"b","governanceVkey":"v"}'],
    ['another type', { type: 'x', name: 'd', governanceVkey: 'v' }],
    ['a name that is a path', { type: DOMAIN, name: '../d', governanceVkey: 'v' }],
    ['no key', { type: DOMAIN, name: 'd' }],
    ['a megabyte', `{"type":"${'x'.repeat(1_000_000)}"}`],
  ])('refuses a domain file that holds %s', (_name, content) => {
    expect(detailOf(home(content))).toMatch(/domain/);
  });

  it.each([0o720, 0o702, 0o777])('refuses a folder of mode %o, and a domain file like it', (mode) => {
    const folder = home();
    chmodSync(folder, mode);
    expect(detailOf(folder)).toMatch(/can be written by others/);
    chmodSync(folder, 0o700);
    chmodSync(join(folder, 'domain.json'), mode & 0o666);
    expect(detailOf(folder)).toMatch(/can be written by others/);
  });

  // Only root can give files away; elsewhere the rule is the same and cannot be shown.
  it.runIf(process.getuid?.() === 0)('refuses one that somebody else put where it would be found', () => {
    const folder = home();
    chownSync(folder, 4711, 4711);
    expect(findHomeFolder(join(folder, '..'))).toBe(folder);
    expect(detailOf(folder)).toMatch(/owned by another user/);
    chownSync(folder, 0, 0);
    chownSync(join(folder, 'domain.json'), 4711, 4711);
    expect(detailOf(folder)).toMatch(/owned by another user/);
  });
});

describe('names', () => {
  it.each([
    '.',
    '..',
    '../x',
    'a/b',
    'a\\b',
    '.hidden',
    '',
    '-x',
    'a..b',
    'a b',
    'a\0b',
    'ä',
    'x'.repeat(65),
    'a\n',
  ])('%j is no name of a file or log', (name) => {
    expect(isLocalName(name)).toBe(false);
  });

  it.each(['', 'A', 'a/b', '.a', 'a.', '-a', 'a:1', 'ä', 'a\n', 'x'.repeat(64)])(
    '%j is no trust domain',
    (name) => {
      expect(isDomainName(name)).toBe(false);
    },
  );
});

describe('writeFileDurably', () => {
  it('replaces a link instead of writing through it, and leaves nothing else behind', () => {
    const folder = join(base, 'write');
    mkdirSync(folder);
    const target = join(base, 'target');
    writeFileSync(target, 'theirs');
    const path = join(folder, 'file');
    symlinkSync(target, path);
    writeFileDurably(path, 'ours');
    expect(readFileSync(target, 'utf8')).toBe('theirs');
    expect(readFileSync(path, 'utf8')).toBe('ours');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('leaves nothing behind where it cannot put the file in its place, nor where it cannot write it', () => {
    const folder = join(base, 'unwritten');
    mkdirSync(join(folder, 'taken', 'by-a-folder'), { recursive: true });
    expect(() => writeFileDurably(join(folder, 'taken'), 'a key')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    const broken = new Proxy(new Uint8Array(1), { get: () => 1 });
    expect(() => writeFileDurably(join(folder, 'file'), broken)).toThrow();
    expect(readdirSync(folder)).toEqual(['taken']);
  });
});

describe('readEvidenceKey', () => {
  it.each<[string, (path: string) => void]>([
    ['read by others', (path) => writeFileSync(path, `${'a'.repeat(64)}\n`, { mode: 0o640 })],
    ['too short', (path) => writeFileSync(path, 'ab\n', { mode: 0o600 })],
    ['no hex', (path) => writeFileSync(path, `${'z'.repeat(64)}\n`, { mode: 0o600 })],
    ['a folder', (path) => mkdirSync(path, { mode: 0o700 })],
    ['absent', () => {}],
    ['a pipe', (path) => execFileSync('mkfifo', ['-m', '600', path])],
    [
      'a link',
      (path) => {
        writeFileSync(`${path}.real`, `${'a'.repeat(64)}\n`, { mode: 0o600 });
        symlinkSync(`${path}.real`, path);
      },
    ],
  ])('refuses a key that is %s', (name, make) => {
    const path = join(base, `key ${name}`);
    make(path);
    const key = readEvidenceKey(path);
    expect(isDenial(key) && key.code).toBe('request.malformed');
  });
});
