import { isAbsolute, resolve } from 'node:path';
import { type ConfigProblem, type LoadedConfig, readConfig } from '../server/config/index.ts';
import { type ExitCode, failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Check the daemon's configuration: every key, its type and its bounds, in the file and in environment variables, without
starting anything. Says file, line and column, and the key that was probably meant. Keys: docs/configuration.md.`,
    )
    .argument('[file]', "the file (default: the domain's own, .writ/writ.yaml)")
    .addHelpText('after', examples('$ writ config check', '$ writ config check ./writ.yaml'))
    .action(act(check));
};

async function check(session: Session, file: string | undefined): Promise<ExitCode> {
  const { output } = session;
  const path =
    file === undefined ? (await session.openHome()).configFile : resolve(session.surroundings.cwd, file);
  const loaded = readConfig(path, session.surroundings.environment, file !== undefined);
  if (isProblems(loaded)) {
    output.answer({ valid: false, file: path, problems: loaded }, () => {
      for (const problem of loaded) output.line(bad('wrong  '), tellProblem(path, problem));
    });
    return 1;
  }
  const answer = { valid: true, file: loaded.file ?? null, variables: loaded.variables };
  output.answer(answer, () => {
    output.line(good('valid  '), loaded.file ?? faint(`no ${path}: everything has its default`));
    for (const name of loaded.variables) output.line(faint('from   '), name);
  });
  return 0;
}

/** The configuration of a domain, or the end of the command. */
export function mustReadConfig(session: Session, file: string): LoadedConfig {
  const loaded = readConfig(file, session.surroundings.environment);
  if (!isProblems(loaded)) return loaded;
  const [first, ...others] = loaded;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw failure(
    'config.invalid',
    `${first === undefined ? file : tellProblem(file, first)}${more}`,
    'see "writ config check" and docs/configuration.md',
  );
}

export function isProblems(
  loaded: LoadedConfig | readonly ConfigProblem[],
): loaded is readonly ConfigProblem[] {
  return !('config' in loaded);
}

function tellProblem(file: string, { key, reason, hint, line, column }: ConfigProblem): string {
  const isVariable = key.startsWith('WRIT_');
  const place = line === undefined || isVariable || !isAbsolute(file) ? '' : `:${line}:${column ?? 1}`;
  const where = isVariable ? '' : `${file}${place}: `;
  return `${where}${key === '' ? '' : `${key}: `}${reason}${hint === undefined ? '' : ` (${hint})`}`;
}
