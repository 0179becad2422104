import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refuseExposedHome } from './exposed-home.ts';

describe('a server that would be handed the keys', () => {
  let project: string;
  let home: string;

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'writ-exposed-'));
    home = join(project, '.writ');
    mkdirSync(join(project, 'notes'));
    mkdirSync(join(home, 'keys'), { recursive: true });
    symlinkSync(project, join(project, 'notes', 'link'));
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it.each([
    ['.'],
    ['./'],
    ['notes/..'],
    ['notes/link'],
    ['.writ'],
    ['--root=.'],
    ['/'],
    ['-y', 'package', '.'],
  ])('is refused: %s', (...args) => {
    expect(() => refuseExposedHome(home, { args, cwd: project })).toThrow('holds the keys');
  });

  it('is refused before the domain exists', () => {
    expect(() => refuseExposedHome(join(project, 'new', '.writ'), { args: ['.'], cwd: project })).toThrow();
  });

  it.each([['notes'], ['--verbose'], ['-y', '@scope/package', 'notes'], ['.writing'], ['']])(
    'and no other is: %s',
    (...args) => {
      expect(() => refuseExposedHome(home, { args, cwd: project })).not.toThrow();
    },
  );
});
