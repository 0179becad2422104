import { describeLog } from '../../../test/suites/log-suite.ts';
import { openMemoryLog } from './index.ts';

describeLog('memory', async (options) => {
  const log = openMemoryLog(options);
  return { log, dispose: () => log.close() };
});
