import { isDenial } from '../denial/index.ts';
import { type Home, readWitnessPolicy } from '../governor/index.ts';
import { readKeyFile } from '../key/index.ts';
import { type RebuiltLog, rebuildLog } from '../storage/index.ts';
import {
  formatVkey,
  type LogFault,
  LogUnavailable,
  MAX_NOTE_BYTES,
  type NoteVerifier,
  parseVkey,
} from '../tlog/index.ts';
import { type ExitCode, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { orUsage, readInputFile } from './input-file.ts';
import { governanceStateOf, logNamesOf } from './log-verify.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';

interface Options {
  readonly log?: string;
  readonly governance?: boolean;
  readonly checkpoint?: string;
}

type Rebuilding = { readonly log: string } & (
  | ({ readonly rebuilt: true } & RebuiltLog)
  | { readonly rebuilt: false; readonly code: LogFault; readonly problem: string }
);

export const define: Define = (command, act) => {
  command
    .description(
      `Restore what is derived of a log, its tiles and its signed checkpoint, from the database. What is right stays; what is
not is moved aside. Refuses where database and published files disagree about history. Stop the gateway of the log first.
Default: all logs of the trust domain.`,
    )
    .option('--log <name>', 'only this execution log')
    .option('--governance', 'only the governance log')
    .option(
      '--checkpoint <file>',
      'a signed checkpoint of the log that was kept elsewhere, to judge the database by',
    )
    .addHelpText(
      'after',
      examples(
        '$ writ log rebuild',
        '$ writ log rebuild --log fs',
        '$ writ log rebuild --log fs --checkpoint seen.txt',
      ),
    )
    .action(act(rebuild));
};

async function rebuild(session: Session, options: Options): Promise<ExitCode> {
  const { output } = session;
  if (options.log !== undefined && options.governance === true) {
    throw usageError('give one of --log and --governance');
  }
  if (options.checkpoint !== undefined && options.log === undefined && options.governance !== true) {
    throw usageError('a checkpoint is of one log: name it with --log or --governance');
  }
  const home = await session.openHome();
  const kept = readKept(session, options.checkpoint);
  const logs: Rebuilding[] = [];
  if (options.log === undefined)
    logs.push(await rebuildOne(session, 'governance', governanceLog(home), kept));
  if (options.governance !== true) {
    const names = logNamesOf(home, options.log);
    // Read now: the governance log may just have been restored.
    for (const name of names) logs.push(await rebuildOne(session, name, executionLog(home, name), kept));
    const attestation = attestationLog(home);
    if (options.log === undefined && attestation !== undefined) {
      logs.push(await rebuildOne(session, 'attestation', attestation, kept));
    }
  }
  const rebuilt = logs.every((log) => log.rebuilt);
  output.answer({ rebuilt, logs }, () => {
    for (const log of logs) {
      if (!log.rebuilt) {
        output.line(bad('refused  '), log.log, faint(`  ${log.code}`));
        output.line('  ', log.problem);
        continue;
      }
      const { restored, checkpoint, size, asideFolder } = log;
      const tiles = restored.length === 0 ? 'all tiles were right' : `${restored.length} tiles restored`;
      output.line(
        good('rebuilt  '),
        log.log,
        faint(`  ${tiles}, checkpoint over ${size} entries ${checkpoint}`),
      );
      for (const path of restored) output.line(good('  ✓ '), path);
      if (asideFolder !== undefined) output.line(faint(`  what was there before is in ${asideFolder}`));
    }
  });
  return rebuilt ? 0 : 1;
}

function readKept({ surroundings }: Session, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  return Buffer.from(orUsage(readInputFile(surroundings.cwd, file, MAX_NOTE_BYTES))).toString('utf8');
}

interface LogFolder {
  readonly directory: string;
  readonly origin: string;
  readonly vkeys: readonly string[];
  readonly keyFile: string;
  /** The domain has a witness policy. */
  readonly isWitnessed: boolean;
}

function governanceLog(home: Home): LogFolder {
  return {
    directory: home.governanceFolder,
    origin: home.governanceOrigin,
    vkeys: [home.governanceVkey],
    keyFile: home.keyFile('governance'),
    isWitnessed: readWitnessPolicy(home) !== undefined,
  };
}

/** Under the keys that the governance log enrolled for it. */
function executionLog(home: Home, name: string): LogFolder {
  const origin = home.executionOrigin(name);
  return {
    directory: home.executionLogFolder(name),
    origin,
    vkeys: governanceStateOf(home)?.logByOrigin(origin)?.vkeys ?? [],
    keyFile: home.logKeyFile(name),
    isWitnessed: readWitnessPolicy(home) !== undefined,
  };
}

/** Undefined where the domain has none. */
function attestationLog(home: Home): LogFolder | undefined {
  const origin = home.attestationOrigin;
  const vkeys = governanceStateOf(home)?.logByOrigin(origin)?.vkeys;
  return (
    vkeys && {
      directory: home.attestationFolder,
      origin,
      vkeys,
      keyFile: home.keyFile('attestation'),
      isWitnessed: readWitnessPolicy(home) !== undefined,
    }
  );
}

async function rebuildOne(
  { output }: Session,
  log: string,
  { directory, origin, vkeys, keyFile, isWitnessed }: LogFolder,
  kept: string | undefined,
): Promise<Rebuilding> {
  const logKeys = vkeys.map(parseVkey).filter((key): key is NoteVerifier => !isDenial(key));
  if (logKeys.length === 0) {
    const problem =
      'the governance log does not verify or does not enroll its key: rebuild the governance log first';
    return { log, rebuilt: false, code: 'key_unknown', problem };
  }
  const key = readKeyFile(keyFile);
  // INVARIANT: only an enrolled key signs, and where witnesses must cosign nothing is signed here: "writ log publish" asks them.
  const signer =
    isDenial(key) || isWitnessed || !vkeys.includes(formatVkey(origin, key.publicKey)) ? undefined : key;
  try {
    const done = await output.during(`rebuilding ${log}`, () =>
      rebuildLog({
        directory,
        logKeys,
        ...(signer && { signer }),
        ...(kept !== undefined && { keptCheckpoint: kept }),
      }),
    );
    return { log, rebuilt: true, ...done };
  } catch (error) {
    if (!(error instanceof LogUnavailable)) throw failure('log.unavailable', String(error));
    return { log, rebuilt: false, code: error.fault, problem: error.message };
  }
}
