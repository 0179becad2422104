import { closeSync } from 'node:fs';
import { isDenial } from '../denial/index.ts';
import {
  type Confiner,
  type ExecOutcome,
  execTool,
  findConfiner,
  type HeldProcess,
  notesAccessTimes,
  type Program,
  readProgram,
} from '../enforce/exec/index.ts';
import { type Home, isLocalName, openHome } from '../governor/index.ts';
import { CliError, denied, type ExitCode, failure, usageError } from './cli-error.ts';
import { parseDuration } from './duration.ts';
import { askOf } from './exec-ask.ts';
import { DENIED, KILLED } from './exec-conclusion.ts';
import type { ExecOptions } from './exec-options.ts';
import { freeName, type LocatedProgram, locateProgram } from './exec-program.ts';
import { proposeRecorded } from './exec-proposal.ts';
import { tellProposal } from './exec-proposal-text.ts';
import { passSignals } from './exec-signals.ts';
import { bindStdin } from './exec-stdin.ts';
import { execStreams } from './exec-streams.ts';
import { recordRun } from './recorded-run.ts';
import type { Session } from './session.ts';
import { makeThrowawayDomain } from './throwaway-domain.ts';
import { writeOut } from './written-file.ts';

export interface RecordOptions extends ExecOptions {
  readonly artifact?: string;
  readonly agent?: string;
  readonly cwd?: string;
  readonly parent?: string;
  readonly explain?: boolean;
  readonly grace: string;
  readonly out?: string;
}

/** What is recorded, found before anything is made. */
interface Subject {
  readonly home: Home | undefined;
  /** Folders of trust domains that the program must not see. */
  readonly excluded: readonly string[];
  readonly name: string;
  readonly program: Program;
  readonly stored: LocatedProgram['stored'];
  readonly confiner: Confiner;
}

/**
 * Runs a program once in a trust domain that is gone afterwards, on copies of what it is granted, and proposes the
 * narrowest artifact that would have allowed what it did. INVARIANT: no key, log or artifact of the real domain is used,
 * and nothing of what is granted is changed.
 */
export async function recordExec(
  session: Session,
  line: readonly string[],
  options: RecordOptions,
): Promise<ExitCode> {
  const { output, surroundings } = session;
  checkOptions(options);
  const graceSeconds = parseDuration(options.grace, '--grace');
  const subject = await findSubject(session, line[0] ?? '');
  // With JSON, stdout carries that alone.
  const streams = execStreams(output.json ? { ...surroundings, stdout: surroundings.stderr } : surroundings);
  const input = surroundings.stdin.isTTY === true ? undefined : await bindStdin(surroundings);
  const abort = new AbortController();
  const passing = passSignals(abort, graceSeconds);
  try {
    const { name, program, confiner } = subject;
    const by = { actor: session.actor({ domain: 'recording' }), atSeconds: session.nowSeconds };
    const domain = await makeThrowawayDomain(by, confiner.account?.gid);
    let held: HeldProcess | undefined;
    // Whoever ends this process at once, because it cannot write what was said, leaves nothing behind either.
    const onExit = (): void => {
      held?.kill();
      domain.remove();
    };
    process.once('exit', onExit);
    try {
      if (!notesAccessTimes(domain.folder)) {
        throw failure(
          'recording.unobservable',
          'the folder for temporary files does not note when files are read, so what is used cannot be told',
          'name one on another file system: TMPDIR=/var/tmp writ exec --record …',
        );
      }
      const ask = askOf(session, { ...subject, argv: line.slice(1), input }, options);
      let relayed: Promise<void> | undefined;
      const run = await recordRun(
        domain,
        {
          tool: execTool(name, program, 'write'),
          ask,
          confiner,
          cwd: surroundings.cwd,
          excluded: subject.excluded,
          purpose: purposeOf(name),
          streams: [input?.descriptor ?? streams.streams[0], streams.streams[1], streams.streams[2]],
          signal: abort.signal,
          onStart(running: HeldProcess) {
            held = running;
            passing.to(running);
            relayed = streams.connect(running);
          },
        },
        by,
      );
      await relayed;
      const { outcome } = run;
      if (outcome.verdict === 'deny') throw notRecorded(outcome, name);
      if (outcome.isInterrupted) return KILLED;
      const proposal = proposeRecorded(session, {
        ...subject,
        domain,
        run: { ...run, outcome },
        ask,
        agent: options.agent,
        purpose: purposeOf(name),
        stdinDigest: input?.digest,
      });
      const file =
        options.out === undefined
          ? undefined
          : writeOut(surroundings.cwd, options.out, [`${JSON.stringify(proposal, undefined, 1)}\n`]);
      if (output.json) output.answer(proposal, () => undefined);
      else tellProposal(output, proposal, file);
      return outcome.end.exitCode ?? KILLED;
    } finally {
      process.off('exit', onExit);
      domain.remove();
    }
  } finally {
    passing.end();
    if (input !== undefined) closeSync(input.descriptor);
  }
}

function checkOptions({ explain, artifact, parent, agent }: RecordOptions): void {
  const other =
    (explain === true && '--explain') ||
    (artifact !== undefined && '--artifact') ||
    (parent !== undefined && '--parent');
  if (typeof other === 'string')
    throw usageError(`--record and ${other} exclude each other`, 'a recorded run has a domain of its own');
  if (agent !== undefined && !isLocalName(agent)) throw usageError(`--agent "${agent}" is no name`);
}

async function findSubject(session: Session, command: string): Promise<Subject> {
  const { surroundings } = session;
  const folder = await session.findHomeFolder();
  const opened = folder === undefined ? undefined : openHome(folder);
  const home = opened === undefined || isDenial(opened) ? undefined : opened;
  const { path, stored } = locateProgram(home, command, surroundings);
  const program = readProgram(path);
  if (isDenial(program)) throw denied(program);
  const confiner = findConfiner(stored?.account === undefined ? {} : { account: stored.account });
  if (isDenial(confiner)) throw new CliError({ ...denied(confiner).problem, exitCode: DENIED });
  return {
    home,
    excluded: [folder, surroundings.homeFolder].filter((known) => known !== undefined),
    name: freeName(home, program.path),
    program,
    stored,
    confiner,
  };
}

function purposeOf(name: string): string {
  return `run ${name} as it was recorded`;
}

/** Nothing is left to look at but this: the domain is gone. */
function notRecorded(outcome: Extract<ExecOutcome, { verdict: 'deny' }>, name: string): CliError {
  const { denial, wasStarted } = outcome;
  return new CliError({
    code: denial.code,
    message: `${wasStarted ? `stopped ${name}` : `${name} was not run`}: ${denial.detail}`,
    hint: 'nothing is proposed, and nothing was changed',
    exitCode: DENIED,
  });
}
