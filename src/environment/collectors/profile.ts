import { join } from 'node:path';
import { digestOf } from '../../codec/index.ts';
import { type Component, collectedBy } from '../component.ts';
import { measureContainer } from './container.ts';
import { digestFile } from './file-digest.ts';
import { MACHINE_FILES, measureMachine } from './machine.ts';
import { measureRepository } from './repository.ts';

/** What of a runtime's surroundings can be measured beside enforcer and program. */
export const COLLECTORS = ['machine', 'container', 'repository', 'configuration'] as const;
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
}

/** What configures the enforcer, in the folder of the trust domain. */
const CONFIGURATION = ['writ.yaml', 'witness-policy', 'domain.json'];

/** Measures the surroundings that are asked for, each component with who collected it and when. */
export async function measureSurroundings(
  collectors: readonly Collector[],
  surroundings: Surroundings,
  atSeconds: number,
): Promise<Component[]> {
  const { domain, homeFolder, folder, containerImage } = surroundings;
  const measure: Readonly<Record<Collector, () => Promise<Component[]>>> = {
    machine: () => measureMachine(domain),
    container: () => measureContainer(containerImage),
    repository: () => measureRepository(folder),
    configuration: () => measureConfiguration(homeFolder),
  };
  const asked = COLLECTORS.filter((collector) => collectors.includes(collector));
  const measured = await Promise.all(
    asked.map(async (collector) => collectedBy(collector, atSeconds, await measure[collector]())),
  );
  return measured.flat();
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

/** Files and folders whose change is a change of these surroundings, as far as watching can tell. */
export function pathsOf(collectors: readonly Collector[], { homeFolder, folder }: Surroundings): string[] {
  return [
    ...(collectors.includes('machine') ? [MACHINE_FILES.osRelease, MACHINE_FILES.machineId] : []),
    ...(collectors.includes('configuration') ? [homeFolder] : []),
    ...(collectors.includes('repository') ? [folder, join(folder, '.git')] : []),
  ];
}
