import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { refuseExposedHome } from './exposed-home.ts';

describe('a server that would be handed the keys', () => {
  let user: string;
  let project: string;
  let home: string;

  beforeAll(() => {
    user = realpathSync(mkdtempSync(join(tmpdir(), 'writ-exposed-')));
    project = join(user, 'project');
    mkdirSync(project);
    home = join(project, '.writ');
    mkdirSync(join(project, 'notes'));
    mkdirSync(join(home, 'keys'), { recursive: true });
    writeFileSync(join(home, 'keys', 'issuer.pem'), '');
    writeFileSync(join(home, 'log.sqlite'), '');
    symlinkSync(project, join(project, 'notes', 'link'));
  });
  beforeEach(() => vi.stubEnv('HOME', user));
  afterAll(() => rmSync(user, { recursive: true, force: true }));

  it.each([
    ['.'],
    ['./'],
    ['notes/..'],
    ['notes/link'],
    ['--root=.'],
    ['/'],
    ['-y', 'package', '.'],
    ['notes,.'],
    ['~'],
    ['~/project'],
    ['--root=~/project'],
  ])('is refused: %s', (...args) => {
    expect(() => refuseExposedHome(home, { args, cwd: project })).toThrow('holds the keys');
  });

  it('is refused where the folder is mounted, or given as a URL', () => {
    const spaced = join(project, 'my notes');
    symlinkSync(project, spaced);
    for (const argument of [
      `${project}:/projects:ro`,
      `type=bind,src=${project},dst=/projects`,
      pathToFileURL(project).href,
      `--root=${pathToFileURL(spaced).href}`,
    ]) {
      expect(() => refuseExposedHome(home, { args: [argument], cwd: '/' }), argument).toThrow(
        'holds the keys',
      );
    }
  });

  it.each([['.writ'], ['.writ/keys'], ['.writ/keys/issuer.pem'], ['--database=.writ/log.sqlite']])(
    'is refused for a part of the domain, too: %s',
    (...args) => {
      expect(() => refuseExposedHome(home, { args, cwd: project })).toThrow('belongs to');
    },
  );

  it('is refused before the domain exists', () => {
    expect(() => refuseExposedHome(join(project, 'new', '.writ'), { args: ['.'], cwd: project })).toThrow();
  });

  it.each([
    ['notes'],
    ['--verbose'],
    ['-y', '@scope/package', 'notes'],
    ['.writing'],
    ['https://tmp/'],
    [''],
  ])('and no other is: %s', (...args) => {
    expect(() => refuseExposedHome(home, { args, cwd: project })).not.toThrow();
  });
});
