import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';

/**
 * This process's environment for a thread, with the compile cache in it. A thread doesn't inherit the cache, and compiling is
 * most of its start. By the environment it has it for its first module too; by a call in that module it would not.
 */
export function workerEnvironment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  // Node names a folder of its version inside the cache's directory; it wants the directory back.
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
}
