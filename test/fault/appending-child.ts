/**
 * Appends as a gateway does: `node appending-child.ts <directory> <origin> <seed> <effects file> [waves]`.
 *
 * Without `waves` it goes on, with ids nobody can foresee and publication by the clock, until it is killed or the log
 * fails. With `waves` it makes the same system calls on the same paths every time: so many waves of 61 appends, each of
 * which is one group commit, with publications under way beside them, evidence erased in the middle, and the log closed.
 *
 * Each line on stdout was durable before it was written: `opened <size>`, `<index> <id>`; then `failed <message>`,
 * `afterwards …` and `closed`. What a permit permits is a line in the effects file.
 */
import { randomUUID } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { SigningKey } from '../../src/key/index.ts';
import { openSqliteLog, type SqliteLog } from '../../src/storage/index.ts';
import { requestOf, WAVE, waveId } from './appended-entry.ts';

const [directory = '', origin = '', seed = '0', effectsFile = '', waves] = process.argv.slice(2);
if (waves !== undefined) {
  // Names of temporary files are made of these.
  Object.defineProperty(process, 'pid', { value: 1 });
  crypto.randomUUID = () => '00000000-0000-0000-0000-000000000000';
}
const signer = SigningKey.fromSeed(new Uint8Array(32).fill(Number(seed)));
const effects = openSync(effectsFile, 'a');
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

let failed: unknown;

async function append(log: SqliteLog, id: string, hasEvidence: boolean): Promise<void> {
  const result = await log.append(requestOf(id, hasEvidence));
  if (result.kind !== 'appended') return;
  writeSync(effects, `${id}\n`);
  say(`${result.index} ${id}`);
}

async function appendWaves(log: SqliteLog, count: number): Promise<void> {
  let publication: Promise<string> | undefined;
  for (let wave = 0; wave < count; wave += 1) {
    const ids = Array.from({ length: WAVE }, (_, at) => waveId(wave * WAVE + at));
    await Promise.all(ids.map((id, at) => append(log, id, at === 0)));
    // Moves the whole WAL into the database and cuts it off, as upkeep does now and then.
    if (wave === 2) await log.eraseEvidence(waveId(0));
    if (wave % 2 === 1) {
      await publication;
      publication = log.checkpoint();
      // Awaited with the next one: until then it has no other listener.
      publication.catch(() => undefined);
    }
  }
  await publication;
}

async function appendUntilItFails(log: SqliteLog): Promise<void> {
  while (failed === undefined) await append(log, randomUUID(), true);
}

try {
  const log = await openSqliteLog({
    directory,
    origin,
    signer,
    evidenceKey: new Uint8Array(32),
    publishIntervalMs: waves === undefined ? 20 : 3_600_000,
  });
  say(`opened ${log.head().size}`);
  const lanes =
    waves === undefined
      ? Array.from({ length: 8 }, () => appendUntilItFails(log))
      : [appendWaves(log, Number(waves))];
  await Promise.all(
    lanes.map((lane) =>
      lane.catch((error: unknown) => {
        failed ??= error;
      }),
    ),
  );
  if (failed !== undefined) {
    sayFailed(failed);
    const afterwards = await log.append({ entry: Buffer.from('too late') }).then(
      () => 'appended after failure',
      (error: unknown) => (error instanceof Error ? error.name : String(error)),
    );
    say(`afterwards ${afterwards}`);
  }
  await log.close();
  say('closed');
} catch (error) {
  sayFailed(error);
}

function sayFailed(error: unknown): void {
  say(`failed ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
}
