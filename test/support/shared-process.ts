import { beforeAll } from 'vitest';

/**
 * Before each file of those that share a process with others. A stack that overflows while Node makes an error leaves the limit
 * of stack traces at 0, and who then looks for its own place in one finds none.
 */
const limit = Error.stackTraceLimit > 0 ? Error.stackTraceLimit : 10;

beforeAll(() => {
  Error.stackTraceLimit = limit;
});
