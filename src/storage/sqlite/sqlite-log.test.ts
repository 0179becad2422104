import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeLog } from '../../../test/suites/log-suite.ts';
import { openSqliteLog } from './index.ts';

describeLog('sqlite', async (options) => {
  const directory = mkdtempSync(join(tmpdir(), 'writ-log-'));
  let log = await openSqliteLog({ directory, ...options });
  return {
    log,
    reopen: async () => {
      await log.close();
      log = await openSqliteLog({ directory, ...options });
      return log;
    },
    dispose: async () => {
      await log.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
});
