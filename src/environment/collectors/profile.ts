import { join } from 'node:path';
import { type Digest, digestOf } from '../../codec/index.ts';
import { type Component, collectedBy, isComponentName } from '../component.ts';
import { measureContainer } from './container.ts';
import { digestFile } from './file-digest.ts';
import { MACHINE_FILES, measureMachine } from './machine.ts';
import { measureRepository } from './repository.ts';
import type { OnRead } from './watch-target.ts';

/** What of a runtime's surroundings can be measured beside enforcer and program. */
export const COLLECTORS = ['machine', 'container', 'repository', 'configuration', 'policy'] as const;
export type Collector = (typeof COLLECTORS)[number];

export function isCollector(text: string): text is Collector {
  return COLLECTORS.some((collector) => collector === text);
}

/** Where the surroundings are. */
export interface Surroundings {
  /** Name of the trust domain. */
  readonly domain: string;
  /** Of the trust domain: what configures the enforcer is in there. */
  readonly homeFolder: string;
  /** The folder whose repository counts. */
  readonly folder: string;
  /** The image, as the orchestrator tells it. */
  readonly containerImage?: string | undefined;
  /** The bundle in force, where it is known to whoever measures; enforcement points add the one they decide by. */
  readonly policy?: PolicyInForce | undefined;
}

export interface PolicyInForce {
  readonly id: string;
  readonly digest: Digest;
}

/** What configures the enforcer, in the folder of the trust domain. */
const CONFIGURATION = ['writ.yaml', 'witness-policy', 'domain.json'];

/** Measures the surroundings that are asked for, each component with who collected it and when. */
export async function measureSurroundings(
  collectors: readonly Collector[],
  surroundings: Surroundings,
  atSeconds: number,
  onRead?: OnRead,
): Promise<Component[]> {
  const { domain, homeFolder, folder, containerImage, policy } = surroundings;
  const by = async (collector: Collector, measuring: Promise<Component[]>) =>
    collectedBy(collector, atSeconds, await measuring);
  for (const path of filesOf(collectors, homeFolder)) onRead?.({ path });
  const measure: Readonly<Record<Collector, () => Promise<Component[]>>> = {
    machine: () => by('machine', measureMachine(domain)),
    container: () => measureContainer(containerImage, atSeconds),
    repository: () => by('repository', measureRepository(folder, { homeFolder, ...(onRead && { onRead }) })),
    configuration: () => by('configuration', measureConfiguration(homeFolder)),
    policy: async () => policyComponents(policy, atSeconds),
  };
  const asked = COLLECTORS.filter((collector) => collectors.includes(collector));
  const measured = await Promise.all(asked.map((collector) => measure[collector]()));
  return measured.flat();
}

/** The policy bundle that is in force (spec/environment.md §4); where none is, a binding on it does not hold. */
export function policyComponents(policy: PolicyInForce | undefined, atSeconds: number): Component[] {
  if (policy === undefined || !isComponentName(policy.id)) return [];
  return collectedBy('policy', atSeconds, [{ kind: 'policy', name: policy.id, digest: policy.digest }]);
}

/** One component a file; one that is not there is told as such, so that it cannot be added unseen. */
async function measureConfiguration(homeFolder: string): Promise<Component[]> {
  return Promise.all(
    CONFIGURATION.map(async (name) => ({
      kind: 'configuration',
      name,
      digest: (await digestFile(join(homeFolder, name))) ?? digestOf('absent'),
    })),
  );
}

/** Files whose change is a change of these surroundings, beside what is found on the way. */
function filesOf(collectors: readonly Collector[], homeFolder: string): string[] {
  return [
    ...(collectors.includes('machine') ? [MACHINE_FILES.osRelease, MACHINE_FILES.machineId] : []),
    ...(collectors.includes('configuration') ? CONFIGURATION.map((name) => join(homeFolder, name)) : []),
  ];
}
