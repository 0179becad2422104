import { isDenial } from '../denial/index.ts';
import type { GovernanceState } from '../governance/index.ts';
import { type Home, listExecutionLogs, openGovernanceFollower } from '../governor/index.ts';
import { LOG_FAULTS } from '../tlog/index.ts';
import { type ExitCode, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { checkAgainst } from './log-against.ts';
import { checkAttestationLog, checkExecutionLog, checkGovernanceLog, type LogCheck } from './log-check.ts';
import { describeTrust } from './log-trust.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

interface Options {
  readonly log?: string;
  readonly all?: boolean;
  readonly governance?: boolean;
  readonly against?: string;
  readonly logKey?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Check logs entry by entry: every entry against the tree, the published tiles and the signed checkpoint.
Names the first bad entry, tile or checkpoint of a damaged one, and what of it still can be trusted. Default: all logs of the trust domain.`,
    )
    .option('--log <name>', 'only this execution log')
    .option('--governance', 'only the governance log')
    .option('--all', 'all logs')
    .option('--against <file>', 'the log of this kept checkpoint: does it still extend it?')
    .option('--log-key <vkey>', 'with --against: believe this key of the log only')
    .addHelpText(
      'after',
      examples(
        '$ writ log verify',
        '$ writ log verify --log fs --json',
        '$ cp .writ/execution/fs/checkpoint kept-elsewhere   # some day',
        '$ writ log verify --against kept-elsewhere          # any day after',
      ),
    )
    .action(act(verify));
};

async function verify(session: Session, options: Options): Promise<ExitCode> {
  const { output } = session;
  const given = [options.log, options.all, options.governance, options.against];
  if (given.filter((option) => option !== undefined).length > 1) {
    throw usageError('give one of --log, --governance, --all and --against');
  }
  if (options.logKey !== undefined && options.against === undefined) {
    throw usageError('--log-key goes with --against');
  }
  const home = await session.openHome();
  if (options.against !== undefined) return verifyAgainst(session, home, options.against, options.logKey);
  const checks: LogCheck[] = [];
  if (options.log === undefined) {
    checks.push(await output.during('checking the governance log', () => checkGovernanceLog(home)));
  }
  if (options.governance !== true) {
    const state = governanceStateOf(home);
    for (const name of logNamesOf(home, options.log)) {
      checks.push(await output.during(`checking log ${name}`, () => checkExecutionLog(home, name, state)));
    }
    if (options.log === undefined) {
      const check = await output.during('checking the attestation log', () =>
        checkAttestationLog(home, state),
      );
      if (check !== undefined) checks.push(check);
    }
  }
  const verified = checks.every((check) => check.verified);
  output.answer({ verified, logs: checks }, () => {
    for (const check of checks) {
      const { log, verified: ok, entries, signed, problems, notes } = check;
      output.line(
        ok ? good('verified      ') : bad('not verified  '),
        log,
        faint(entries === null ? '' : `  ${entries} entries, ${signed ?? 0} under a signed checkpoint`),
      );
      for (const { where, detail } of problems) output.line(bad('  ✗ '), where, faint(`  ${detail}`));
      for (const { where, detail } of notes) output.line(warn('  – '), where, faint(`  ${detail}`));
      if (!ok) output.line('  ', describeTrust(check));
      for (const code of new Set([...problems, ...notes].map((each) => each.code))) {
        output.line(faint(`  → ${code}: ${LOG_FAULTS[code]}`));
      }
    }
  });
  return verified ? 0 : 1;
}

/** The whole log, and that it extends what somebody kept. Where it does not, both signed heads are the proof. */
async function verifyAgainst(
  session: Session,
  home: Home,
  file: string,
  logKey: string | undefined,
): Promise<ExitCode> {
  const { output, surroundings } = session;
  const state = governanceStateOf(home);
  const kept = { cwd: surroundings.cwd, file, ...(logKey === undefined ? {} : { logKey }) };
  const against = checkAgainst(home, state, kept);
  const { log, verdict, detail, heads } = against;
  const check = await output.during(`checking log ${log}`, () =>
    log === 'governance' ? checkGovernanceLog(home) : checkExecutionLog(home, log, state),
  );
  const verified = verdict === 'extends' && check.verified;
  output.answer({ verified, against, logs: [check] }, () => {
    output.line(
      verdict === 'extends' ? good('extends       ') : bad(`${verdict}  `),
      log,
      faint(`  ${detail}`),
    );
    if (verdict !== 'extends') {
      for (const head of heads) {
        output.line('');
        for (const line of head.trimEnd().split('\n')) output.line(faint('    '), line);
      }
    }
    for (const { where, detail: problem } of check.problems) {
      output.line(bad('  ✗ '), where, faint(`  ${problem}`));
    }
  });
  return verified ? 0 : 1;
}

export function logNamesOf(home: Home, named: string | undefined): readonly string[] {
  const names = listExecutionLogs(home);
  if (named === undefined) return names;
  if (names.includes(named)) return [named];
  throw failure(
    'not_found',
    `there is no log ${named}`,
    names.length === 0 ? 'no gateway has run yet' : `there are: ${names.join(', ')}`,
  );
}

export function governanceStateOf(home: Home): GovernanceState | undefined {
  const follower = openGovernanceFollower(home);
  if (isDenial(follower)) return undefined;
  try {
    return follower.refresh().state;
  } finally {
    follower.close();
  }
}
