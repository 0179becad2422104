/** Runs until it is done, or told to end by SIGINT, SIGTERM or SIGHUP, which abort the signal. */
export async function withSignals<T>(use: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    return await use(abort.signal);
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}
