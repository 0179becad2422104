import type { HeldProcess } from '../enforce/exec/index.ts';

const PASSED_ON = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGWINCH',
  'SIGCONT',
  // Stopped, this process could not stop the program.
  'SIGTSTP',
] as const;

const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** Signals end what is being prepared; once the program runs, they are its own, but it cannot outlive SIGTERM for long. */
export function passSignals(abort: AbortController, graceSeconds: number) {
  let running: HeldProcess | undefined;
  let grace: NodeJS.Timeout | undefined;
  const pass = (signal: NodeJS.Signals): void => {
    if (running !== undefined) {
      running.signal(signal);
      if (signal === 'SIGTERM') grace ??= setTimeout(() => abort.abort(), graceSeconds * 1000);
    } else if (ENDING.includes(signal)) abort.abort();
  };
  for (const signal of PASSED_ON) process.on(signal, pass);
  return {
    to(held: HeldProcess): void {
      running = held;
    },
    end(): void {
      clearTimeout(grace);
      for (const signal of PASSED_ON) process.off(signal, pass);
    },
  };
}
