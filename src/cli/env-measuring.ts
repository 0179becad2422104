import { delimiter, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { isDenial } from '../denial/index.ts';
import {
  COLLECTORS,
  type Collector,
  collectedBy,
  isCollector,
  joinComponents,
  type Measurement,
  measureEnforcer,
  measurementOf,
  measureSurroundings,
  readBootId,
} from '../environment/index.ts';
import { type Home, readEnvironmentFile } from '../governor/index.ts';
import { denied, usageError } from './cli-error.ts';
import { readGovernance } from './governance.ts';
import { measure } from './measure.ts';
import { surroundingsOf } from './measured-surroundings.ts';
import { readServer } from './server-file.ts';
import type { Session } from './session.ts';

/** What the commands of `writ env` measure. */
export interface MeasuringOptions {
  readonly server?: string;
  readonly measure?: string;
}

export function addMeasuringOptions(command: Command): Command {
  return command
    .option('--server <name>', 'with the MCP server of this name, as "writ init" has seen it started')
    .option(
      '--measure <list>',
      `what to measure beside Writ and the program: ${COLLECTORS.join(', ')} (default: what is enrolled)`,
    );
}

export function collectorsOf(text: string): readonly Collector[] {
  const names = text.split(',').filter((name) => name !== '');
  return names.map((name) => {
    if (!isCollector(name)) {
      throw usageError(`--measure: there is no "${name}"`, `give some of ${COLLECTORS.join(',')}`);
    }
    return name;
  });
}

/** Measures this runtime, now: Writ, the program it would start, and the surroundings that are asked for. */
export async function measureHere(
  session: Session,
  home: Home,
  words: readonly string[],
  options: MeasuringOptions,
): Promise<{ readonly measurement: Measurement; readonly collectors: readonly Collector[] }> {
  const { cwd, path } = session.surroundings;
  const profile = readEnvironmentFile(home.environmentFile);
  if (isDenial(profile)) throw denied(profile);
  const collectors = options.measure === undefined ? profile.measure : collectorsOf(options.measure);
  const upstream = programOf(home, cwd, words, options.server);
  const at = session.nowSeconds;
  const program =
    upstream === undefined
      ? await measureEnforcer()
      : await measure(
          { ...upstream, searchPath: path.join(delimiter) },
          join(home.folder, 'cache', 'digests.json'),
        );
  const surroundings = surroundingsOf(session, home, upstream?.cwd ?? cwd);
  const policy = collectors.includes('policy') ? readGovernance(home).policy?.bundle : undefined;
  const around = await measureSurroundings(collectors, { ...surroundings, policy }, at);
  const components = joinComponents(collectedBy('program', at, program), around);
  return { measurement: measurementOf(components, 'self', at, readBootId()), collectors };
}

function programOf(
  home: Home,
  cwd: string,
  [command, ...args]: readonly string[],
  server: string | undefined,
) {
  if (command !== undefined) return { command, args, cwd: resolve(cwd) };
  if (server === undefined) return undefined;
  const stored = readServer(home, server);
  if (stored === undefined) {
    throw usageError(`how ${server} is started is not known`, 'give its command after --');
  }
  return stored;
}
