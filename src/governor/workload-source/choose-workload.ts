import { type PresenterOptions, workloadNamedBy } from '../../artifact/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { WorkloadSource } from '../../workload/index.ts';
import { type WitFileNames, WitFiles } from './wit-files.ts';
import { WitOfWorkloadApi } from './wit-of-workload-api.ts';

/** The variable that names the endpoint to workloads (SPIFFE Workload Endpoint §4). */
export const ENDPOINT_VARIABLE = 'SPIFFE_ENDPOINT_SOCKET';

/** Where the identity of this workload comes from. `none`: it shows none. */
export type WorkloadFrom = WitFileNames | { readonly endpoint: string } | 'none';

/** What a presenter beside an agent shows of the workload that it is. */
export interface ShownWorkload {
  /** For calls to one enforcement point. */
  for(audience: string, nowSeconds: () => number): NonNullable<PresenterOptions['workload']>;
  close(): void;
}

export interface WorkloadChoice {
  /** What somebody chose. */
  readonly from?: WorkloadFrom | undefined;
  /** What {@link ENDPOINT_VARIABLE} says: asked where nothing was chosen and the artifact names a workload. */
  readonly endpoint?: string | undefined;
  /** How long to wait for the Workload API. Default: 10 s. */
  readonly withinMs?: number;
}

const WITHIN_MS = 10_000;

/**
 * Which workload is shown with the calls under an artifact: the one that it names. What is chosen must be there, and what the artifact
 * asks for must be: else nothing is presented, and that is denied on record with the reason. An artifact that names no
 * workload is not shown any, unless somebody chose so: nobody learns more than was asked for.
 *
 * @returns undefined where nothing is shown.
 */
export async function chooseWorkload(
  chain: readonly string[],
  { from, endpoint, withinMs = WITHIN_MS }: WorkloadChoice,
): Promise<ShownWorkload | undefined> {
  const named = workloadNamedBy(chain);
  const fallback = named === undefined || endpoint === undefined || endpoint === '' ? 'none' : { endpoint };
  const chosen = from ?? fallback;
  if (chosen === 'none') return undefined;
  const source: WorkloadSource =
    'endpoint' in chosen
      ? await WitOfWorkloadApi.open({ endpoint: chosen.endpoint, id: named?.id, withinMs })
      : new WitFiles(chosen);
  // An initiator may be known by its key alone.
  const mayLack = from === undefined && named?.isRequired === false;
  return {
    for: (audience, nowSeconds) => (pop) => {
      const shown = source.prove({ audience, pop, nowSeconds: nowSeconds() });
      return isDenial(shown) && mayLack ? undefined : shown;
    },
    close: () => source.close(),
  };
}
