/**
 * Appends until it is killed or the log fails. `node appending-child.ts <directory> <origin> <seed> <in flight>`.
 * Each line on stdout was durable before it was written: `opened <size>`, `<index> <id>`; then `failed <message>`.
 */
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { SigningKey } from '../../src/key/index.ts';
import { openSqliteLog } from '../../src/storage/index.ts';

const [directory = '', origin = '', seed = '0', inFlight = '8'] = process.argv.slice(2);
const signer = SigningKey.fromSeed(new Uint8Array(32).fill(Number(seed)));
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

const log = await openSqliteLog({
  directory,
  origin,
  signer,
  evidenceKey: new Uint8Array(32),
  publishIntervalMs: 20,
});
say(`opened ${log.head().size}`);

let failed: unknown;
const appendOn = async (): Promise<void> => {
  while (failed === undefined) {
    const id = randomUUID();
    const result = await log.append({
      entry: Buffer.from(`entry of ${id}`.padEnd(600, '.')),
      keys: [id],
      consume: { id, expiresAtSeconds: 4_000_000_000 },
      counters: [{ key: 'appended', limit: 2 ** 40, amount: 1 }],
      evidence: [{ address: id, bytes: Buffer.from(`evidence of ${id}`) }],
    });
    if (result.kind === 'appended') say(`${result.index} ${id}`);
  }
};
await Promise.all(
  Array.from({ length: Number(inFlight) }, () =>
    appendOn().catch((error: unknown) => {
      failed ??= error;
    }),
  ),
);
say(`failed ${failed instanceof Error ? `${failed.name}: ${failed.message}` : String(failed)}`);
const afterwards = await log.append({ entry: Buffer.from('too late') }).then(
  () => 'appended after failure',
  (error: unknown) => (error instanceof Error ? error.name : String(error)),
);
say(`afterwards ${afterwards}`);
await log.close();
say('closed');
