/** Preloaded into a daemon under load: tells its heap and handles to the campaign that started it, when asked. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.send !== undefined) {
  let collect: unknown;
  process.on('message', (message) => {
    if (message === 'collect') {
      if (collect === undefined) {
        setFlagsFromString('--expose-gc');
        collect = runInNewContext('gc');
      }
      if (typeof collect === 'function') collect();
    }
    // Not `process.memoryUsage`: it opens a file, and there may be none left to open.
    const { used_heap_size: heapUsed, external_memory: external } = getHeapStatistics();
    process.send?.({ heapUsed, external, handles: process.getActiveResourcesInfo().length });
  });
  // Not a reason to stay: the daemon ends as it does without.
  process.channel?.unref();
}
