/** What a governed call costs as the log grows. Takes turns between the sizes, so that all meet the same machine. */
import { statSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import type { TestDomain } from '../../test/support/trust-domain.ts';
import { type SizeTimes, timeSize } from './size-times.ts';
import { makeSizedLog } from './sized-log.ts';
import { type Summary, summaryOf } from './summary.ts';

/** A log that being measured made so many times as long is made anew. */
const OUTGROWN = 1.5;

export interface SizeResult extends Readonly<Record<keyof SizeTimes, Summary>> {
  readonly size: number;
  readonly databaseBytes: number;
}

class SizedLog {
  readonly size: number;
  readonly times: SizeTimes[] = [];
  databaseBytes = 0;
  #domain: TestDomain | undefined;

  constructor(size: number) {
    this.size = size;
  }

  async measure(): Promise<SizeTimes> {
    this.#domain ??= await makeSizedLog(this.size);
    const times = await timeSize(this.#domain, this.size);
    const folder = this.#domain.home.executionLogFolder('fs');
    this.databaseBytes = statSync(join(folder, 'log.sqlite')).size;
    const reader = openSqliteLogReader(folder);
    const { size } = reader.head();
    reader.close();
    if (size > OUTGROWN * this.size) this.dispose();
    return times;
  }

  dispose(): void {
    this.#domain?.dispose();
    this.#domain = undefined;
  }
}

export async function measureSizes(sizes: readonly number[], rounds: number): Promise<SizeResult[]> {
  const logs = sizes.map((size) => new SizedLog(size));
  try {
    for (let round = 0; round <= rounds; round += 1) {
      for (const log of logs) {
        if (round === 0) console.error(`a log of ${log.size.toLocaleString('en')} entries`);
        const times = await log.measure();
        // The first round makes the logs and warms up.
        if (round > 0) log.times.push(times);
      }
      if (round > 0) console.error(`sizes, round ${round} of ${rounds}, load ${loadavg()[0]?.toFixed(1)}`);
    }
    return logs.map(({ size, databaseBytes, times }) => {
      const of = (part: keyof SizeTimes): Summary => summaryOf(times.map((time) => time[part]));
      return {
        size,
        databaseBytes,
        opening: of('opening'),
        alone: of('alone'),
        loaded: of('loaded'),
        lookup: of('lookup'),
        proof: of('proof'),
      };
    });
  } finally {
    for (const log of logs) log.dispose();
  }
}
