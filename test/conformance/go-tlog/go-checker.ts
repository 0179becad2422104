import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from '../../support/debian-packages.ts';

/** Where Debian puts Go libraries. */
const GOPATH = '/usr/share/gocode';
const TLOG = join(GOPATH, 'src/golang.org/x/mod/sumdb/tlog/tlog.go');
const SOURCE = fileURLToPath(new URL('main.go', import.meta.url));

/** What the checker said of a log. */
export interface Verdict {
  readonly accepted: boolean;
  /** Its one line. */
  readonly said: string;
}

export type GoChecker = (vkey: string, folder: string, earlierCheckpoint?: string) => Verdict;

/** Builds the checker in a folder, from Debian's packages and without network. Undefined where they cannot be had. */
export function buildGoChecker(buildFolder: string): GoChecker | undefined {
  if (findGo() === undefined || !existsSync(TLOG)) {
    installDebianPackages('golang-go', 'golang-golang-x-mod-dev');
  }
  const go = findGo();
  if (go === undefined || !existsSync(TLOG)) return undefined;
  const program = join(buildFolder, 'go-tlog');
  execFileSync(go, ['build', '-o', program, SOURCE], {
    env: {
      PATH: process.env.PATH,
      GO111MODULE: 'off',
      GOPATH,
      GOCACHE: join(buildFolder, 'cache'),
      GOPROXY: 'off',
      GOTOOLCHAIN: 'local',
      CGO_ENABLED: '0',
    },
  });
  return (vkey, folder, earlierCheckpoint) => {
    const argv = [vkey, folder, ...(earlierCheckpoint === undefined ? [] : [earlierCheckpoint])];
    const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8' });
    if (status !== 0 && status !== 1) throw new Error(`go-tlog ended with ${status}: ${stdout}${stderr}`);
    return { accepted: status === 0, said: stdout.trim() };
  };
}

function findGo(): string | undefined {
  const versions = existsSync('/usr/lib')
    ? readdirSync('/usr/lib').filter((name) => /^go(-1\.\d+)?$/.test(name))
    : [];
  return ['/usr/bin/go', ...versions.map((name) => `/usr/lib/${name}/bin/go`)].find((path) =>
    existsSync(path),
  );
}
