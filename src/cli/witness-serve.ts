import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { isDenial } from '../denial/index.ts';
import { createWitnessServer, Witness, type WitnessEvent } from '../server/index.ts';
import { WitnessState } from '../storage/index.ts';
import {
  ED25519,
  type KnownLogs,
  LogUnavailable,
  MAX_POLICY_BYTES,
  type NoteVerifier,
  parseVkey,
  parseWitnessPolicy,
} from '../tlog/index.ts';
import { failure, usageError } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import { orUsage, readInputFile } from './input-file.ts';
import { parseListen, urlOf } from './listen-address.ts';
import type { Session } from './session.ts';
import { bad, faint, good } from './text.ts';
import { withSignals } from './with-signals.ts';
import { readWitnessFolder } from './witness-folder.ts';

interface Options {
  readonly listen: string;
  readonly log?: readonly string[];
  readonly policy?: string;
}

const DEFAULT_LISTEN = '127.0.0.1:7380';

export const define: Define = (command, act) => {
  command
    .description(
      `Cosign checkpoints over HTTP (C2SP tlog-witness: POST /add-checkpoint), for logs whose keys it is given. Each one
must extend the one cosigned before, which is stored durably before the answer. What does not is refused, and
shown with both signed heads. With --json every answer is one line. Ends on SIGTERM.`,
    )
    .argument('<folder>', 'the witness, as "writ witness new" made it')
    .option('--listen <host:port>', 'where to listen; port 0 takes a free one', DEFAULT_LISTEN)
    .option('--log <vkey>', 'a log to cosign; may be given several times', collect)
    .option('--policy <file>', 'cosign the logs that a witness policy names')
    .addHelpText(
      'after',
      examples(
        '$ writ witness serve w1 --log example.com/log+0bd2a36d+AU0DZwPgPfUhUZnE9bYGxHhMIqWYrqQ9gLWQwIm6Vmct',
        '$ writ witness serve w1 --listen 127.0.0.1:7380 --policy logs.policy --json',
      ),
    )
    .action(act(serve));
};

async function serve(session: Session, folder: string, options: Options): Promise<void> {
  const { output, surroundings } = session;
  const { host, port } = parseListen(options.listen, DEFAULT_LISTEN);
  const path = resolve(surroundings.cwd, folder);
  const logs = knownLogs(surroundings.cwd, options);
  const { name, signers, vkeys } = readWitnessFolder(path);
  const state = openState(path);
  try {
    const nowSeconds = () => surroundings.clockMs() / 1000;
    const witness = new Witness({ logs, state, name, signers, nowSeconds });
    const server = createWitnessServer({ witness, onEvent: (event) => tell(session, event) });
    await withSignals(async (signal) => {
      await new Promise<void>((listening, failed) => {
        server.once('error', failed);
        server.listen(port, host, listening);
      }).catch((error: NodeJS.ErrnoException) => {
        throw failure('listen.failed', `${options.listen} cannot be listened on: ${error.code}`);
      });
      const url = urlOf(server.address() as AddressInfo);
      output.answer({ event: 'listening', url, name, vkeys, logs: [...logs.keys()] }, () => {
        output.line(good('listening '), url, faint(`  as ${name}`));
        for (const origin of logs.keys()) output.line(faint('log  '), origin);
      });
      await new Promise<void>((ended) => {
        const end = () => {
          server.close(() => ended());
          server.closeAllConnections();
        };
        if (signal.aborted) end();
        else signal.addEventListener('abort', end, { once: true });
      });
    });
  } finally {
    state.close();
  }
}

function tell({ output }: Session, event: WitnessEvent): void {
  output.answer(event, () => {
    if (event.event === 'failed') {
      output.line(bad('failed   '), event.reason);
      return;
    }
    const { answer } = event;
    const what = answer.origin === undefined ? '' : `${answer.origin}  ${answer.size} entries`;
    if (answer.status === 200) {
      output.line(good('cosigned '), what);
      return;
    }
    output.line(bad('refused  '), what, faint(`  ${answer.status} ${answer.problem}`));
    for (const head of answer.heads ?? []) {
      for (const line of head.trimEnd().split('\n')) output.line(faint('    '), line);
      output.line('');
    }
  });
}

function knownLogs(cwd: string, { log = [], policy }: Options): KnownLogs {
  const keys: NoteVerifier[] = log.map((vkey) => {
    const key = orUsage(parseVkey(vkey), 'give the vkey of the log, as in its log.vkey file');
    if (key.type !== ED25519) throw usageError(`--log ${key.name} is a cosigner's key, not a log's`);
    return key;
  });
  if (policy !== undefined) {
    const parsed = parseWitnessPolicy(orUsage(readInputFile(cwd, policy, MAX_POLICY_BYTES)));
    if (isDenial(parsed)) throw usageError(`${policy}: ${parsed.detail}`);
    keys.push(...parsed.logs);
  }
  if (keys.length === 0) throw usageError('which logs?', 'give --log VKEY, or --policy FILE with log lines');
  const known = new Map<string, NoteVerifier[]>();
  for (const key of keys) {
    const others = known.get(key.name) ?? [];
    if (others.some(({ keyId }) => keyId === key.keyId)) continue;
    known.set(key.name, [...others, key]);
  }
  return known;
}

function openState(folder: string): WitnessState {
  try {
    return WitnessState.open(folder);
  } catch (error) {
    if (error instanceof LogUnavailable) throw failure('log.unavailable', error.message);
    throw error;
  }
}
