import { AsyncLocalStorage } from 'node:async_hooks';

/** The execution that the running code belongs to. */
interface Current {
  /** Folder of the trust domain: an execution is no parent in another one. */
  readonly home: string;
  readonly executionId: string;
}

const current = new AsyncLocalStorage<Current>();

/** Runs code as part of an execution: calls it makes name that one as their parent, however deep they are awaited. */
export function runAsPartOf<T>(execution: Current, code: () => T): T {
  return current.run(execution, code);
}

/** The execution that a call made here follows from. */
export function currentExecution(home: string): string | undefined {
  const store = current.getStore();
  return store?.home === home ? store.executionId : undefined;
}
