import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { PresenterOptions } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  chooseWorkload,
  ENDPOINT_VARIABLE,
  type ShownWorkload,
  type WorkloadFrom,
} from '../governor/index.ts';
import { usageError } from './cli-error.ts';
import type { Session } from './session.ts';

/** Which workload a presenter shows with its calls. */
export interface WorkloadOptions {
  readonly workloadApi?: string;
  readonly wit?: string;
  readonly witKey?: string;
}

export function addWorkloadOptions(command: Command): Command {
  return command
    .option(
      '--workload-api <uri>',
      `SPIFFE Workload API that says which workload this is (default: ${ENDPOINT_VARIABLE}, where the artifact names a workload)`,
    )
    .option('--wit <file>', 'WIT-SVID of this workload instead, kept up to date by something else')
    .option('--wit-key <file>', 'the private key that the WIT-SVID confirms, PEM');
}

/** What options chose; undefined where they chose nothing. */
export function workloadFrom(
  { surroundings }: Session,
  { workloadApi, wit, witKey }: WorkloadOptions,
): WorkloadFrom | undefined {
  if ((wit === undefined) !== (witKey === undefined)) {
    throw usageError('a WIT-SVID and its key belong together', 'give both --wit FILE and --wit-key FILE');
  }
  if (workloadApi !== undefined && wit !== undefined) {
    throw usageError('which workload is this?', 'give either --workload-api URI or --wit FILE');
  }
  if (workloadApi !== undefined) return { endpoint: workloadApi };
  if (wit === undefined || witKey === undefined) return undefined;
  const { cwd } = surroundings;
  return { witFile: resolve(cwd, wit), keyFile: resolve(cwd, witKey) };
}

export function shownWorkload(
  session: Session,
  chain: readonly string[],
  options: WorkloadOptions,
): Promise<ShownWorkload | undefined> {
  const endpoint = session.surroundings.environment[ENDPOINT_VARIABLE];
  return chooseWorkload(chain, { from: workloadFrom(session, options), endpoint });
}

/** Where there is nothing to show, that is told, and the call goes on without: it is decided, and recorded, elsewhere. */
export function showOrTell(
  shown: ShownWorkload,
  audience: string,
  tell: (text: string) => void,
): NonNullable<PresenterOptions['workload']> {
  const show = shown.for(audience, () => Date.now() / 1000);
  return (pop) => {
    const members = show(pop);
    if (!isDenial(members)) return members;
    tell(members.detail);
    return undefined;
  };
}
