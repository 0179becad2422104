import { createSecretKey } from 'node:crypto';
import type { Readable } from 'node:stream';
import { canonicalize } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  CLAUDE_CODE,
  HOOK_SCHEME,
  openWrit,
  parseToolUse,
  type ToolUse,
  type Writ,
  WritDenied,
} from '../enforce/sdk/index.ts';
import { findExecution, type Home, readEvidenceKey, type WorkloadFrom } from '../governor/index.ts';
import { executionSalt, saltedDigest } from '../receipt/index.ts';
import { CliError, type ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseDuration } from './duration.ts';
import { HookTickets } from './hook-tickets.ts';
import type { Session } from './session.ts';
import { addWorkloadOptions, type WorkloadOptions, workloadFrom } from './workload-options.ts';

interface Options extends WorkloadOptions {
  readonly agent?: string;
  readonly artifact?: string;
  readonly timeout: string;
  readonly keepPrompts?: boolean;
  readonly awaitOutcome?: boolean;
}

/** Exit code with which a hook blocks the tool; after any other failure Claude Code runs it. */
const BLOCKS = 2;
const MAX_INPUT_BYTES = 32 * 1024 * 1024;
/** After the tool there is nothing to block: the person is told, and Claude Code goes on. */
const TELLS = 1;
const CHANGED = 'the tool ran with other arguments than were permitted';

export const define: Define = (command, act) => {
  addWorkloadOptions(command)
    .description(
      `Answer a hook of Claude Code. PreToolUse: its JSON on stdin is one use of a tool, hook://claude-code/<tool>, which is
decided and recorded as every other call. A permit allows it, a denial tells the model why. Whatever goes wrong here
blocks the tool (exit code 2). PostToolUse and PostToolUseFailure: what came of a use that was permitted is recorded as
its outcome, once, by its salted digest. The trust domain must be named with --home: the nearest one could be the
project's own. "writ hook adopt claude-code" prints the settings to use.

A hook asks; it does not hold. Claude Code itself runs the tool, after it was permitted, and its word is all there is on
how that ended; what it does not tell is of unknown outcome. Where that is not enough, put tools behind "writ mcp".`,
    )
    .option('--agent <name>', 'the agent that calls (default: the only one there is, else "agent")')
    .option('--artifact <name|file>', 'what it presents (default: <agent>-claude-code)')
    .option('--timeout <duration>', 'how long a decision may take; then the tool is blocked', '20s')
    .option(
      '--await-outcome',
      'the hooks PostToolUse and PostToolUseFailure are set, too: they tell the outcome (default: it is unknown)',
    )
    .option('--keep-prompts', "on a permit say nothing, so that Claude Code's own prompts remain")
    .addHelpText(
      'after',
      examples(
        '$ writ hook claude-code --home ~/.writ < call.json',
        '# call.json: {"hook_event_name":"PreToolUse","tool_name":"Read","tool_input":{"file_path":"/work/a"}}',
      ),
    )
    .action(act(hook));
};

async function hook(session: Session, options: Options): Promise<ExitCode> {
  const { output, surroundings } = session;
  let failed: ExitCode = BLOCKS;
  let late: ReturnType<typeof within> | undefined;
  try {
    const timeoutMs = parseDuration(options.timeout, '--timeout') * 1000;
    late = within(timeoutMs);
    const use = parseToolUse(await late.unless(readAll(surroundings.stdin)));
    if (isDenial(use)) throw new Error(use.detail);
    if (use.event !== 'PreToolUse') {
      failed = TELLS;
      // Nothing is presented, so no workload need be shown.
      const unshown = { timeoutMs, workload: 'none' } as const;
      await late.unless(withWrit(session, options, unshown, (writ, home) => tell(writ, home, use)));
      return 0;
    }
    const shown = { timeoutMs, workload: workloadFrom(session, options) };
    const answer = await late.unless(
      withWrit(session, options, shown, (writ, home) => decide(writ, home, use, options)),
    );
    if (answer.decision === 'allow' && options.keepPrompts === true) return 0;
    const hookSpecificOutput = {
      hookEventName: 'PreToolUse',
      permissionDecision: answer.decision,
      permissionDecisionReason: answer.reason,
    };
    await write(surroundings.stdout, `${JSON.stringify({ hookSpecificOutput })}\n`);
    return 0;
  } catch (error) {
    const hint = error instanceof CliError ? error.problem.hint : undefined;
    const message = error instanceof Error ? error.message : 'something unforeseen happened';
    const what = failed === BLOCKS ? 'Blocked by Writ' : 'Writ has no outcome of this';
    output.note(`${what}: ${message}${hint === undefined ? '' : ` (${hint})`}`);
    return failed;
  } finally {
    late?.end();
  }
}

interface Answer {
  readonly decision: 'allow' | 'deny';
  readonly reason: string;
}

async function withWrit<T>(
  session: Session,
  { agent, artifact }: Options,
  { timeoutMs, workload }: { readonly timeoutMs: number; readonly workload: WorkloadFrom | undefined },
  act: (writ: Writ, home: Home) => Promise<T>,
): Promise<T> {
  // A repository could bring a domain of its own, in which everything is permitted.
  if (!session.namesHome) throw new Error('name the trust domain: writ --home DIR hook claude-code');
  const home = await session.openHome();
  const writ = await openWrit({
    home: home.folder,
    name: CLAUDE_CODE,
    scheme: HOOK_SCHEME,
    // Hooks run side by side and are gone at once: one log, and its counters, serve them all in turn. Waiting for it holds
    // this thread, its timers too, so that there must be time left afterwards.
    lockTimeoutMs: timeoutMs / 2,
    workload,
    workloadWithinMs: timeoutMs / 4,
    // What the agent itself is cannot be told from here.
    measure: async () => [],
    ...(agent === undefined ? {} : { agent }),
    ...(artifact === undefined ? {} : { artifact }),
  });
  try {
    return await act(writ, home);
  } finally {
    await writ.close();
  }
}

async function decide(
  writ: Writ,
  home: Home,
  { toolName, input, use }: ToolUse,
  { awaitOutcome = false }: Options,
): Promise<Answer> {
  const tickets = new HookTickets(home);
  const named = awaitOutcome && use !== undefined && tickets.hasRoom(Date.now()) ? use : undefined;
  const note = 'handed to Claude Code, which runs it';
  try {
    const receipt = await writ.permit(writ.addUnseen(toolName), input, { note, isLeft: named !== undefined });
    if (named !== undefined && !tickets.keep(named, receipt)) {
      await writ.tell(receipt, { status: 'unknown', note });
    }
    return { decision: 'allow', reason: `Permitted by Writ (receipt ${receipt})` };
  } catch (error) {
    if (error instanceof WritDenied) return { decision: 'deny', reason: error.message };
    throw error;
  }
}

/** INVARIANT: what is told counts for the execution that this very use was permitted as, by its session, tool and arguments. */
async function tell(writ: Writ, home: Home, { event, toolName, input, use, result }: ToolUse): Promise<void> {
  const executionId = use === undefined ? undefined : new HookTickets(home).take(use);
  if (executionId === undefined) throw new Error('no use of a tool that was permitted here waits for it');
  const isSame = wasPermitted(home, executionId, writ.addUnseen(toolName).id, canonicalize(input));
  const evidence = result === undefined ? {} : { evidence: Buffer.from(canonicalize(result)) };
  const refused = await writ.tell(
    executionId,
    isSame
      ? { status: event === 'PostToolUse' ? 'succeeded' : 'failed', note: 'as Claude Code told', ...evidence }
      : { status: 'unknown', note: CHANGED, ...evidence },
  );
  if (refused !== undefined) throw new Error(refused.detail);
  if (!isSame) throw new Error(CHANGED);
}

/** Whether an execution was permitted as the call of that tool with these arguments. */
function wasPermitted(home: Home, executionId: string, tool: string, argsJcs: string): boolean {
  const evidenceKey = readEvidenceKey(home.evidenceKeyFile);
  const found = findExecution(home, executionId);
  found?.reader.close();
  if (found === undefined || isDenial(evidenceKey)) return false;
  const { decision } = found.record;
  const salt = executionSalt(createSecretKey(evidenceKey), executionId);
  return decision.tool === tool && decision.arguments === saltedDigest(salt, argsJcs);
}

/** Of more than the bound nothing is used, but that there was more. */
async function readAll(stdin: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.byteLength;
    if (bytes > MAX_INPUT_BYTES) throw new Error(`the input is longer than ${MAX_INPUT_BYTES} bytes`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks);
}

/** A bound on everything that is waited for together. */
function within(milliseconds: number) {
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => undefined);
  const timer = setTimeout(() => late.reject(new Error('no decision came in time')), milliseconds);
  return {
    unless: <T>(work: Promise<T>): Promise<T> => Promise.race([work, late.promise]),
    end: () => clearTimeout(timer),
  };
}

/** An answer that did not arrive is none: rejects. */
function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.write(text, (error) => (error == null ? resolve() : reject(error)));
  });
}
