/** Preloaded into a daemon under load: tells its heap and handles to the campaign that started it, when asked. */
import { setFlagsFromString } from 'node:v8';
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
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    process.send?.({ heapUsed, external, arrayBuffers, handles: process.getActiveResourcesInfo().length });
  });
  // Not a reason to stay: the daemon ends as it does without.
  process.channel?.unref();
}
