import type { Readable } from 'node:stream';
import { isDenial } from '../denial/index.ts';
import { CLAUDE_CODE, HOOK_SCHEME, openWrit, parsePreToolUse, WritDenied } from '../enforce/sdk/index.ts';
import { CliError, type ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseDuration } from './duration.ts';
import type { Session } from './session.ts';

interface Options {
  readonly agent?: string;
  readonly artifact?: string;
  readonly timeout: string;
  readonly keepPrompts?: boolean;
}

/** Exit code with which a hook blocks the tool; after any other failure Claude Code runs it. */
const BLOCKS = 2;
const MAX_INPUT_BYTES = 4 * 1024 * 1024;

export const define: Define = (command, act) => {
  command
    .description(
      `Answer a PreToolUse hook of Claude Code: its JSON on stdin is one use of a tool, hook://claude-code/<tool>, which is
decided and recorded as every other call. A permit allows it, a denial tells the model why. Whatever goes wrong here
blocks the tool (exit code 2). The trust domain must be named with --home: the nearest one could be the project's own.
"writ hook adopt claude-code" prints the settings to use.

A hook asks; it does not hold. Claude Code itself runs the tool, after it was permitted: what becomes of it is not seen
here, and its outcome stands in the log as unknown. Where that is not enough, put tools behind "writ mcp".`,
    )
    .option('--agent <name>', 'the agent that calls (default: the only one there is, else "agent")')
    .option('--artifact <name|file>', 'what it presents (default: <agent>-claude-code)')
    .option('--timeout <duration>', 'how long a decision may take; then the tool is blocked', '20s')
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
  try {
    const timeoutMs = parseDuration(options.timeout, '--timeout') * 1000;
    const answer = await within(timeoutMs, decide(session, options, timeoutMs));
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
    output.note(`Blocked by Writ: ${message}${hint === undefined ? '' : ` (${hint})`}`);
    return BLOCKS;
  }
}

interface Answer {
  readonly decision: 'allow' | 'deny';
  readonly reason: string;
}

async function decide(session: Session, { agent, artifact }: Options, timeoutMs: number): Promise<Answer> {
  const use = parsePreToolUse(await readAll(session.surroundings.stdin));
  if (isDenial(use)) throw new Error(use.detail);
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
    // What the agent itself is cannot be told from here.
    measure: async () => [],
    ...(agent === undefined ? {} : { agent }),
    ...(artifact === undefined ? {} : { artifact }),
  });
  try {
    const receipt = await writ.permit(writ.addUnseen(use.toolName), use.input, {
      note: 'handed to Claude Code, which runs it',
    });
    return { decision: 'allow', reason: `Permitted by Writ (receipt ${receipt})` };
  } catch (error) {
    if (error instanceof WritDenied) return { decision: 'deny', reason: error.message };
    throw error;
  } finally {
    await writ.close();
  }
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

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('no decision came in time')), milliseconds);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** An answer that did not arrive is none: rejects. */
function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.write(text, (error) => (error == null ? resolve() : reject(error)));
  });
}
