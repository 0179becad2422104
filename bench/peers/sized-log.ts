/** Trust domains whose execution log holds a given number of entries. */
import { readEvidenceKey } from '../../src/governor/index.ts';
import { readKeyFile } from '../../src/key/index.ts';
import { openSqliteLog, type SqliteLog } from '../../src/storage/index.ts';
import { must, TestDomain } from '../../test/support/trust-domain.ts';
import { TWENTY_POLICIES } from '../twenty-policies.ts';
import { makeFiller } from './filler.ts';
import { extendLog } from './synthetic-log.ts';

/** What is larger is not filled by the writer. */
export const LARGEST_WRITTEN = 1_000_000;
/** Of a synthetic log, what the writer writes before it. */
const WRITTEN_BEFORE = 1000;
const FILL_IN_FLIGHT = 4096;

export async function makeSizedLog(size: number): Promise<TestDomain> {
  const domain = await TestDomain.create(TWENTY_POLICIES);
  try {
    // Makes the log's key and enrolls it.
    await (await domain.open()).close();
    const { home } = domain;
    const options = {
      directory: home.executionLogFolder('fs'),
      origin: home.executionOrigin('fs'),
      signer: must(readKeyFile(home.logKeyFile('fs'))),
      evidenceKey: must(readEvidenceKey(home.evidenceKeyFile)),
    };
    const log = await openSqliteLog(options);
    try {
      await fill(log, size > LARGEST_WRITTEN ? WRITTEN_BEFORE : size);
    } finally {
      await log.close();
    }
    if (size > LARGEST_WRITTEN) await extendLog(options, size);
    return domain;
  } catch (error) {
    domain.dispose();
    throw error;
  }
}

/** By the real writer: batches, fsync, tree, tiles and checkpoints as ever. */
async function fill(log: SqliteLog, size: number): Promise<void> {
  while (log.head().size < size) {
    const count = Math.min(FILL_IN_FLIGHT, size - log.head().size);
    await Promise.all(
      Array.from({ length: count }, () => {
        const { entry, key } = makeFiller();
        return log.append({ entry, keys: [key] });
      }),
    );
  }
  await log.checkpoint();
}
