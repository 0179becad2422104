import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must, nowSeconds } from '../../../test/support/trust-domain.ts';
import { DevelopmentIssuer } from '../../workload/index.ts';
import { readBundleFile } from './read-bundle-file.ts';

const PROD = 'prod.example';
const NOBODY = 65_534;
let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-bundle-'));
  file = join(folder, 'bundle.json');
  const issuer = DevelopmentIssuer.create(PROD, { nowSeconds: nowSeconds(), ttlSeconds: 3600 });
  writeFileSync(file, JSON.stringify(issuer.bundle()), { mode: 0o644 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const refused = (detail: RegExp) => ({
  code: 'identity.mismatch',
  detail: expect.stringMatching(detail),
});

test('a bundle of one’s own is read, through a link as well', () => {
  expect(must(readBundleFile(PROD, file)).trustDomain).toBe(PROD);
  symlinkSync(file, join(folder, 'link'));
  expect(must(readBundleFile(PROD, join(folder, 'link'))).trustDomain).toBe(PROD);
});

test('what others can write is refused, and what is no file is not waited on', () => {
  for (const mode of [0o664, 0o646]) {
    chmodSync(file, mode);
    expect(readBundleFile(PROD, file)).toMatchObject(refused(/others can write it/));
  }
  chmodSync(file, 0o644);
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', ['-m', '644', pipe]);
  for (const none of [pipe, folder, '/dev/null']) {
    expect(readBundleFile(PROD, none)).toMatchObject(refused(/not a regular file/));
  }
});

// Only root can give a file away.
test.runIf(process.geteuid?.() === 0)(
  'what another user owns is refused, however little others may do',
  () => {
    chownSync(file, NOBODY, NOBODY);
    for (const mode of [0o644, 0o444]) {
      chmodSync(file, mode);
      expect(readBundleFile(PROD, file)).toMatchObject(refused(/another user owns it \(uid 65534\)/));
    }
    chownSync(file, 0, 0);
    expect(must(readBundleFile(PROD, file)).trustDomain).toBe(PROD);
  },
);

test.runIf(process.geteuid?.() === 0)('a bundle of root’s is read by whoever the process runs as', () => {
  chmodSync(folder, 0o755);
  process.seteuid?.(NOBODY);
  try {
    expect(must(readBundleFile(PROD, file)).trustDomain).toBe(PROD);
  } finally {
    process.seteuid?.(0);
  }
});
