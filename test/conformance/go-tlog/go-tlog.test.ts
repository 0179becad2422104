import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attestExecution } from '../../../src/governor/index.ts';
import { SigningKey } from '../../../src/key/index.ts';
import { formatVkey, noteSigner, signNote } from '../../../src/tlog/index.ts';
import { tellSkipped } from '../../support/debian-packages.ts';
import { must, nowSeconds, TestDomain } from '../../support/trust-domain.ts';
import { buildGoChecker } from './go-checker.ts';
import { EARLIER, flipBit, ORIGIN, PublishedLog, SIZE, vkey } from './published-log.ts';

const root = mkdtempSync(join(tmpdir(), 'writ-go-tlog-'));
const checker = buildGoChecker(root);
if (checker === undefined) {
  tellSkipped('Go’s reading of our logs', 'install golang-go and golang-golang-x-mod-dev (Debian)');
}
const check = checker ?? (() => ({ accepted: false, said: 'there is no checker' }));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** In which of its words depends on the version: older ones leave some tiles to the proofs of the entries. */
const INCONSISTENT =
  /^refused: (tiles: downloaded inconsistent tile|entry \d+: (invalid transparency proof|not what its leaf hash is of))/;

const mallory = SigningKey.generate();

describe.skipIf(checker === undefined)('golang.org/x/mod/sumdb', () => {
  let log: PublishedLog;
  /** Under the same key, but entry 17 is another: what a log that rewrites its history publishes. */
  let rewritten: PublishedLog;
  let short: PublishedLog;

  beforeAll(async () => {
    log = await PublishedLog.create(join(root, 'log'));
    const entry = (index: number) => (index === 17 ? 'another' : `entry ${index}`);
    rewritten = await PublishedLog.create(join(root, 'rewritten'), { entry });
    short = await PublishedLog.create(join(root, 'short'), { size: EARLIER });
  });

  it('accepts a log with full and partial tiles, and that it continues an earlier one', () => {
    expect(check(vkey, log.folder, log.earlier)).toEqual({
      accepted: true,
      said: `accepted: ${SIZE} entries`,
    });
    expect(check(vkey, short.folder, log.earlier)).toEqual({
      accepted: true,
      said: `accepted: ${EARLIER} entries`,
    });
    expect(check(vkey, rewritten.folder).accepted).toBe(true);
  });

  it.each([0, 1, 256, 257])('accepts a log of %i entries', async (size) => {
    const { folder } = await PublishedLog.create(join(root, `size-${size}`), { size });
    expect(check(vkey, folder)).toEqual({ accepted: true, said: `accepted: ${size} entries` });
  });

  it('accepts the logs of a trust domain: governance, execution and attestation', async () => {
    const domain = await TestDomain.create();
    try {
      const { governor, audience, close } = await domain.open();
      const action = domain.call([domain.issue()], { audience });
      const effect = async () => ({ status: 'succeeded', value: 1, evidence: Buffer.from('out') }) as const;
      const { executionId } = await governor.run(action, effect);
      await governor.settle();
      await close();
      const { home } = domain;
      must(await attestExecution(home, executionId, { actor: 'test', atSeconds: nowSeconds() }));
      const keyIn = (folder: string) => readFileSync(join(folder, 'log.vkey'), 'utf8').trim();
      for (const folder of [home.executionLogFolder('fs'), home.attestationFolder]) {
        expect(check(keyIn(folder), folder)).toMatchObject({ accepted: true });
      }
      expect(check(home.governanceVkey, home.governanceFolder)).toMatchObject({ accepted: true });
    } finally {
      domain.dispose();
    }
  });

  /** What is refused, in what words, and what is done to the copy of the log; another key is handed over by returning it. */
  const TAMPERINGS: readonly [string, RegExp, (log: PublishedLog) => string | undefined][] = [
    [
      'a bit of the checkpoint signature',
      /^refused: checkpoint: invalid signature/,
      (copy) => {
        const flip = (text: string) => flipBit(Buffer.from(text, 'base64')).toString('base64');
        copy.changeText('checkpoint', (text) => text.replace(/\S+(?=\n$)/, flip));
        return undefined;
      },
    ],
    [
      'another root in the checkpoint',
      /^refused: checkpoint: invalid signature/,
      (copy) => {
        const flip = (text: string) => flipBit(Buffer.from(text, 'base64')).toString('base64');
        copy.changeText('checkpoint', (text) => text.replace(/(?<=^.*\n.*\n).*/, flip));
        return undefined;
      },
    ],
    [
      'another size in the checkpoint',
      /^refused: checkpoint: invalid signature/,
      (copy) => {
        copy.changeText('checkpoint', (text) => text.replace(`\n${SIZE}\n`, `\n${SIZE - 1}\n`));
        return undefined;
      },
    ],
    [
      'a checkpoint without its signature line',
      /^refused: checkpoint: malformed note/,
      (copy) => {
        copy.changeText('checkpoint', (text) => text.replace(/— .*\n$/, ''));
        return undefined;
      },
    ],
    [
      'a checkpoint signed by somebody else under the name of the log',
      /^refused: checkpoint: note has no verifiable signatures/,
      (copy) => {
        copy.changeText('checkpoint', (text) => {
          const [body] = text.split('\n\n');
          return signNote(`${body}\n`, [noteSigner(ORIGIN, mallory)]);
        });
        return undefined;
      },
    ],
    [
      'a key that is not the log’s',
      /^refused: checkpoint: note has no verifiable signatures/,
      () => formatVkey(ORIGIN, mallory.publicKey),
    ],
    [
      'a vkey whose id is not that of its key',
      /^refused: vkey: invalid verifier hash/,
      () => vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
    ],
    [
      'a bit of a full tile',
      INCONSISTENT,
      (copy) => {
        copy.change('tile/0/001', flipBit);
        return undefined;
      },
    ],
    [
      'a bit of a partial tile',
      /^refused: root: downloaded inconsistent tile/,
      (copy) => {
        copy.change(`tile/0/002.p/${SIZE - 512}`, flipBit);
        return undefined;
      },
    ],
    [
      'a bit of a tile of the level above',
      /^refused: root: downloaded inconsistent tile/,
      (copy) => {
        copy.change('tile/1/000.p/2', flipBit);
        return undefined;
      },
    ],
    [
      'a tile that is cut off',
      /^refused: tiles: TileReader returned bad result/,
      (copy) => {
        copy.change('tile/0/001', (bytes) => bytes.subarray(0, -32));
        return undefined;
      },
    ],
    [
      'a tile that is missing',
      /^refused: tiles: open .*no such file/,
      (copy) => {
        rmSync(copy.path('tile/0/001'));
        return undefined;
      },
    ],
    [
      'two tiles in each other’s place',
      INCONSISTENT,
      (copy) => {
        copy.swap('tile/0/000', 'tile/0/001');
        return undefined;
      },
    ],
    [
      'an entry changed',
      /^refused: entry 17: not what its leaf hash is of/,
      (copy) => {
        copy.changeEntries('tile/entries/000', (entries) => entries.with(17, Buffer.from('another')));
        return undefined;
      },
    ],
    [
      'an entry changed, and its leaf hash to fit',
      INCONSISTENT,
      (copy) => {
        copy.replaceEntry(17, 'another');
        return undefined;
      },
    ],
    [
      'two entries in each other’s place',
      /^refused: entry 254: not what its leaf hash is of/,
      (copy) => {
        copy.changeEntries('tile/entries/000', (entries) => [
          ...entries.slice(0, 254),
          ...entries.slice(254).reverse(),
        ]);
        return undefined;
      },
    ],
    [
      'an entry removed',
      /^refused: entries: .* has 255 entries, not 256/,
      (copy) => {
        copy.changeEntries('tile/entries/001', (entries) => entries.toSpliced(3, 1));
        return undefined;
      },
    ],
    [
      'an entry added',
      /^refused: entries: .* has 189 entries, not 188/,
      (copy) => {
        copy.changeEntries(`tile/entries/002.p/${SIZE - 512}`, (entries) => [...entries, Buffer.from('new')]);
        return undefined;
      },
    ],
    [
      'an entry bundle that is cut off',
      /^refused: entries: .* is cut off/,
      (copy) => {
        copy.change('tile/entries/001', (bytes) => bytes.subarray(0, -1));
        return undefined;
      },
    ],
    [
      'two entry bundles in each other’s place',
      /^refused: entry 0: not what its leaf hash is of/,
      (copy) => {
        copy.swap('tile/entries/000', 'tile/entries/001');
        return undefined;
      },
    ],
    [
      'a history rewritten, and signed by the log itself, against a checkpoint seen before',
      /^refused: consistency:/,
      (copy) => {
        for (const name of ['checkpoint', 'tile']) rmSync(copy.path(name), { recursive: true });
        rmSync(copy.folder, { recursive: true });
        rewritten.copyTo(copy.folder);
        copy.change('earlier', () => readFileSync(log.earlier));
        return undefined;
      },
    ],
    [
      'a log rolled back behind a checkpoint seen before',
      /^refused: consistency: it had 700 entries and now has 300/,
      (copy) => {
        rmSync(copy.folder, { recursive: true });
        short.copyTo(copy.folder);
        copy.change('earlier', () => readFileSync(log.path('checkpoint')));
        return undefined;
      },
    ],
    [
      'an earlier checkpoint that the log did not sign',
      /^refused: earlier checkpoint: invalid signature/,
      (copy) => {
        copy.changeText('earlier', (text) => text.replace(`\n${EARLIER}\n`, '\n299\n'));
        return undefined;
      },
    ],
  ];

  it.each(TAMPERINGS)('refuses %s', (_, words, tamper) => {
    const copy = log.copyTo(mkdtempSync(join(root, 'copy-')).concat('/log'));
    const otherKey = tamper(copy);
    const { accepted, said } = check(otherKey ?? vkey, copy.folder, copy.earlier);
    expect(said).toMatch(words);
    expect(accepted).toBe(false);
  });
});
