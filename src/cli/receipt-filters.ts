import type { Command } from 'commander';
import { isDenial } from '../denial/index.ts';
import type { Home } from '../governor/index.ts';
import { parseReceiptFilters, type ReceiptFilters } from '../receipt/index.ts';
import { usageError } from './cli-error.ts';
import { parseMoment } from './duration.ts';

/** Options that narrow which decisions a command is about. */
export interface FilterOptions {
  readonly agent?: string;
  readonly subject?: string;
  readonly tool?: string;
  readonly code?: string;
  readonly artifact?: string;
  readonly root?: string;
  readonly parent?: string;
  readonly verdict?: string;
  readonly deny?: boolean;
  readonly permit?: boolean;
  readonly since?: string;
  readonly until?: string;
}

/** RFC 7638, base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

export function addFilterOptions(command: Command): Command {
  return command
    .option('--deny', 'only denials')
    .option('--permit', 'only permits')
    .option('--verdict <verdict>', 'only these: permit or deny')
    .option('--agent <agent>', 'who acted: a name of this domain, a URI, or a key thumbprint')
    .option('--subject <uri>', 'on whose authority: initiator, owner, or on behalf of whom')
    .option('--tool <id>', 'the tool, in full')
    .option('--code <code>', 'the reason of the denial')
    .option('--artifact <id>', 'a token id, or the digest of a whole artifact')
    .option('--root <execution>', 'everything that follows from this execution, and itself')
    .option('--parent <execution>', 'what directly follows from this execution')
    .option('--since <when>', 'from then on: 2026-11-01, 2026-11-01T08:30Z, or 7d for so long ago')
    .option('--until <when>', 'before then');
}

export function filtersOf(options: FilterOptions, home: Home, nowMs: number): ReceiptFilters {
  const { agent, subject, tool, code, artifact, root, parent, since, until } = options;
  const filters = parseReceiptFilters({
    agent: agent === undefined || agent.includes(':') || THUMBPRINT.test(agent) ? agent : home.agent(agent),
    subject,
    tool,
    code,
    artifact,
    root,
    parent,
    verdict: verdictOf(options),
    sinceMs: since === undefined ? undefined : parseMoment(since, '--since', nowMs),
    untilMs: until === undefined ? undefined : parseMoment(until, '--until', nowMs),
  });
  if (isDenial(filters)) throw usageError(filters.detail, 'codes are listed in spec/receipt.md');
  return filters;
}

function verdictOf({ verdict, deny, permit }: FilterOptions): string | undefined {
  const given = [verdict, ...(deny === true ? ['deny'] : []), ...(permit === true ? ['permit'] : [])];
  const [only, ...others] = given.filter((one) => one !== undefined);
  if (others.length > 0) throw usageError('give one of --deny, --permit and --verdict');
  return only;
}

const FILTERS = [
  'agent',
  'subject',
  'tool',
  'code',
  'artifact',
  'root',
  'parent',
  'verdict',
  'deny',
  'permit',
];
const TIMES = ['since', 'until', 'sinceMs', 'untilMs'];

export function isFiltered(given: FilterOptions | ReceiptFilters): boolean {
  return [...FILTERS, ...TIMES].some((name) => name in given);
}
