import type { JsonObject } from '../codec/index.ts';
import { accountText, DEFAULT_ACCOUNT, type Effects, type Limits } from '../enforce/exec/index.ts';
import type { Component } from '../environment/index.ts';
import type { StoredProgram } from './program-file.ts';
import { isVisible, visibleJson } from './visible-json.ts';

/** A call that a proposal is for, as the person who signs it will have it. */
export interface ProposedCall {
  readonly name: string;
  readonly agent: string;
  readonly program: StoredProgram;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly tools: JsonObject;
  readonly audience: string;
  readonly components: readonly Component[];
  readonly purpose: string;
}

/** Command lines, word by word: pin the program, sign what it is granted, call it. */
export interface ProposedCommands {
  readonly adopt: readonly string[];
  /** Reads the tools from its standard input. */
  readonly issue: readonly string[];
  readonly call: readonly string[];
}

const END = 'TOOLS';

/** @param writ how Writ itself is called here. */
export function commandsFor(writ: readonly string[], proposed: ProposedCall): ProposedCommands {
  const { name, agent, program, argv, cwd, audience, components, purpose } = proposed;
  const each = (option: string, values: readonly string[]): readonly string[] =>
    values.flatMap((value) => [option, value]);
  const { account = DEFAULT_ACCOUNT } = program;
  return {
    adopt: [
      ...[...writ, 'exec', 'adopt', name, '--pin-only', '--agent', agent, '--effects', program.effects],
      ...(accountText(account) === accountText(DEFAULT_ACCOUNT) ? [] : ['--account', accountText(account)]),
      ...each('--read', program.read),
      ...each('--write', program.write),
      ...each('--net', program.network),
      ...each(
        '--env',
        Object.entries(program.env).map(([variable, value]) => `${variable}=${value}`),
      ),
      ...limitOptions(program.limits),
      ...['--', program.path],
    ],
    issue: [
      ...[...writ, 'artifact', 'issue', '--agent', agent, '--out', `${agent}-${audience}`],
      ...['--audience', audience, '--ttl', '1d', '--purpose', purpose],
      ...each(
        '--environment',
        components.map(({ kind, name: component, digest }) => `${kind}/${component}=${digest}`),
      ),
      ...['--tools', '/dev/stdin'],
    ],
    call: [...writ, 'exec', '--agent', agent, '--cwd', cwd, '--', name, ...argv],
  };
}

/** The commands as lines for a POSIX shell, and the tools between them for whoever signs to read. */
export function scriptOf({ adopt, issue, call }: ProposedCommands, tools: JsonObject): readonly string[] {
  return [
    ...lines(adopt),
    ...lines(issue, ` <<'${END}'`),
    ...visibleJson(tools).split('\n'),
    END,
    ...lines(call),
  ];
}

/** Whether lines would come out of a terminal as they went in. */
export function isPlain(line: string): boolean {
  return line.length <= 4096 && isVisible(line);
}

/** One line for each option. */
function lines(words: readonly string[], end = ''): readonly string[] {
  const rows: string[][] = [[]];
  let isPastOptions = false;
  for (const word of words) {
    if (word.startsWith('--') && !isPastOptions) rows.push([]);
    if (word === '--') isPastOptions = true;
    rows.at(-1)?.push(quoted(word));
  }
  return rows.map((row, index) => {
    const isLast = index === rows.length - 1;
    return `${index === 0 ? '' : '  '}${row.join(' ')}${isLast ? end : ' \\'}`;
  });
}

/** One word of a POSIX shell. */
function quoted(word: string): string {
  return /^[\w/.:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function limitOptions(limits: Limits): readonly string[] {
  return [
    ...['--time', `${limits.wallSeconds}s`, '--cpu', `${limits.cpuSeconds}s`],
    ...['--memory', sizeText(limits.memoryBytes), '--processes', `${limits.processes}`],
    ...['--file-size', sizeText(limits.fileBytes), '--open-files', `${limits.openFiles}`],
    ...['--net-bytes', sizeText(limits.networkBytes)],
  ];
}

/** The largest unit that it is a whole number of. */
export function sizeText(bytes: number): string {
  const units = [
    ['G', 2 ** 30],
    ['M', 2 ** 20],
    ['K', 2 ** 10],
  ] as const;
  const unit = units.find(([, size]) => bytes > 0 && bytes % size === 0);
  return unit === undefined ? `${bytes}` : `${bytes / unit[1]}${unit[0]}`;
}

/** What a program that was seen doing this does to the world, at worst. */
export function effectsOf(seen: { readonly writes: boolean; readonly hasNetwork: boolean }): Effects {
  return seen.writes || seen.hasNetwork ? 'destructive' : 'read';
}
