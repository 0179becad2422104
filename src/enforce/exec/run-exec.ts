import type { Presenter } from '../../artifact/index.ts';
import { canonicalize, type Digest, type JsonObject } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import type { DeniedOutcome, EffectResult, Execution, Governor } from '../../governor/index.ts';
import type { ProcessReport, StreamFacts } from '../../receipt/index.ts';
import { accountOf, type Confiner } from './confiner.ts';
import { countOutput } from './counted-output.ts';
import { accountText, type ExecAsk, type ExecRequest, resolveAsk } from './exec-request.ts';
import { closePaths, type GrantedPath } from './granted-path.ts';
import { type HeldProcess, holdProcess, type ProcessEnd, type Streams } from './held-process.ts';
import { findUnreachableNode } from './network-launch.ts';
import { NetworkProxy, type NetworkProxyOptions } from './network-proxy.ts';
import { findWrittenFiles } from './written-files.ts';

/** What running confined programs stands on. */
export interface ExecPorts {
  readonly governor: Pick<Governor, 'run'>;
  /** Where there is nothing to present, why: the call is then denied with that, on record. */
  readonly presenter: Presenter | Denial | Promise<Presenter | Denial>;
  /** Where this machine cannot confine, why. */
  readonly confiner: Confiner | Denial;
  /** Folders that no program may see. */
  readonly hidden: readonly string[];
  /** The caller's folder. */
  readonly cwd: string;
  /** How the proxy finds hosts, where not as the system does. */
  readonly network?: Pick<NetworkProxyOptions, 'resolve' | 'dial'>;
  /** What is bound in place of what was granted, where that is not to be touched: copies, which are closed with it. */
  readonly standIn?: (paths: readonly GrantedPath[]) => Promise<readonly GrantedPath[] | Denial>;
}

export interface ExecCall {
  readonly tool: { readonly id: string; readonly digest: Digest };
  readonly ask: ExecAsk;
  readonly streams: Streams;
  /** The execution this call follows from. */
  readonly parent?: string;
  /** Told when the program runs, to pass signals and streams on: at once, or what it says is lost. */
  readonly onStart?: (running: HeldProcess) => void;
  /** Told when all that it started is dead, and before anything is looked at. */
  readonly onEnd?: () => void;
  /** The operator's: aborting it kills the program. */
  readonly signal?: AbortSignal;
}

export type ExecOutcome =
  | {
      readonly verdict: 'permit';
      readonly executionId: string;
      readonly end: ProcessEnd;
      readonly report: ProcessReport;
      /** The operator ended it. */
      readonly isInterrupted: boolean;
    }
  | (Pick<DeniedOutcome, 'verdict' | 'denial' | 'executionId'> & {
      readonly wasStarted: boolean;
      /** What is wrong with the call itself, whatever is granted: it tells of nothing but what its caller sees. */
      readonly refusal?: Denial;
    });

const OVERTIME = deny('scope.use_exhausted', 'the program ran longer than its limit');
const KILLED = 'the operator stopped the program';

/**
 * Runs a program if and only if that is permitted, confined. Its sandbox is made while the decision is, and holds the
 * program until the permit is durable and still stands.
 */
export async function runExec(ports: ExecPorts, call: ExecCall): Promise<ExecOutcome> {
  const { tool, ask } = call;
  const resolved = resolveAsk(ask, ports.cwd, ports.hidden);
  const request =
    isDenial(resolved) || ports.standIn === undefined
      ? resolved
      : await replacePaths(resolved, ports.standIn);
  const base = { tool: tool.id, toolDigest: tool.digest };
  if (isDenial(request)) {
    const outcome = await ports.governor.run(
      { ...base, args: {}, presentation: request, refusal: request },
      never,
    );
    if (outcome.verdict === 'permit') throw new TypeError('a refusal was permitted');
    return { ...outcome, wasStarted: false, refusal: request };
  }
  const proxy =
    request.network.length === 0
      ? undefined
      : new NetworkProxy({ ...ports.network, granted: request.network, maxBytes: ask.limits.networkBytes });
  const holding = hold(ports, call, request, proxy);
  let wasStarted = false;
  try {
    const presenter = await ports.presenter;
    const action: Action = {
      ...base,
      args: request.args,
      presentation: present(presenter, tool.id, request.args, call.parent),
    };
    const outcome = await ports.governor.run(action, (execution) =>
      perform({ holding, proxy, call, execution, paths: request.paths }, () => {
        wasStarted = true;
      }),
    );
    if (outcome.verdict === 'deny') return { ...outcome, wasStarted };
    const { value, executionId } = outcome;
    return isDenial(value)
      ? { verdict: 'deny', denial: value, executionId, wasStarted }
      : { verdict: 'permit', executionId, ...value };
  } finally {
    proxy?.close();
    const held = await holding;
    if (!isDenial(held)) {
      held.kill();
      await held.ended;
    }
    closePaths(request.paths);
  }
}

async function replacePaths(
  request: ExecRequest,
  standIn: NonNullable<ExecPorts['standIn']>,
): Promise<ExecRequest | Denial> {
  try {
    const paths = await standIn(request.paths);
    return isDenial(paths) ? paths : { ...request, paths };
  } finally {
    closePaths(request.paths);
  }
}

function hold(
  ports: ExecPorts,
  { ask, streams }: ExecCall,
  request: ExecRequest,
  proxy: NetworkProxy | undefined,
): Promise<HeldProcess | Denial> {
  const { confiner } = ports;
  if (isDenial(confiner)) return Promise.resolve(confiner);
  // What was decided on is what the chain switches to.
  if (accountText(accountOf(confiner)) !== accountText(ask.account)) {
    return Promise.resolve(deny('environment.mismatch', 'programs are run as another account here'));
  }
  const { environment, cwd, paths } = request;
  const unreachable = proxy === undefined ? undefined : findUnreachableNode(confiner.account);
  if (unreachable !== undefined) return Promise.resolve(unreachable);
  return holdProcess({
    confiner,
    plan: {
      program: ask.program,
      argv: ask.argv,
      cwd,
      environment,
      paths,
      limits: ask.limits,
      account: ask.account,
      hasNetwork: proxy !== undefined,
    },
    streams,
    ...(proxy === undefined ? {} : { onListener: (listener) => proxy.serve(listener) }),
  }).catch(() => deny('environment.unmeasured', 'the sandbox could not be made'));
}

interface Performance {
  readonly holding: Promise<HeldProcess | Denial>;
  readonly proxy: NetworkProxy | undefined;
  readonly call: ExecCall;
  readonly execution: Execution;
  readonly paths: readonly GrantedPath[];
}

interface Performed {
  readonly end: ProcessEnd;
  readonly report: ProcessReport;
  readonly isInterrupted: boolean;
}

/** The effect: lets the held program run, and kills it when the execution no longer stands. */
async function perform(
  { holding, proxy, call, execution, paths }: Performance,
  onRelease: () => void,
): Promise<EffectResult<Performed | Denial>> {
  const { ask, onStart, onEnd, signal } = call;
  const held = await holding;
  if (isDenial(held)) return stopped(held);
  let why: 'revoked' | 'operator' | Denial | undefined;
  const kill = (reason: NonNullable<typeof why>): void => {
    why ??= reason;
    proxy?.close();
    held.kill();
  };
  const onRevoked = (): void => kill('revoked');
  const onOperator = (): void => kill('operator');
  execution.signal.addEventListener('abort', onRevoked, { once: true });
  signal?.addEventListener('abort', onOperator, { once: true });
  if (execution.signal.aborted) onRevoked();
  if (signal?.aborted === true) onOperator();
  const sinceMs = Date.now();
  let outputs: readonly (() => Promise<StreamFacts<string>>)[] = [];
  // The last word before the first instruction: from here on the watch of the governor has it.
  if (why === undefined) {
    onStart?.(held);
    outputs = held.pipes.slice(1).map(countOutput);
    onRelease();
    held.release();
  }
  const timer = setTimeout(() => kill(OVERTIME), Math.min(ask.limits.wallSeconds * 1000, 2 ** 31 - 1));
  const end = await held.ended;
  onEnd?.();
  proxy?.close();
  clearTimeout(timer);
  execution.signal.removeEventListener('abort', onRevoked);
  signal?.removeEventListener('abort', onOperator);
  const [stdout, stderr] = await Promise.all(outputs.map((count) => count()));
  const written = outputs.length === 0 ? undefined : findWrittenFiles(paths, sinceMs);
  const report: ProcessReport = {
    ...reportOf(end),
    ...(proxy === undefined ? {} : { network: proxy.facts() }),
    ...(why === undefined ? {} : { signal: 'SIGKILL' }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
    ...(written === undefined ? {} : { written }),
  };
  const isInterrupted = why === 'operator';
  if (why !== undefined && typeof why !== 'string') return { ...stopped(why), process: report };
  return {
    status: end.exitCode === undefined ? 'unknown' : end.exitCode === 0 ? 'succeeded' : 'failed',
    value: { end, report, isInterrupted },
    ...(isInterrupted ? { isInterrupted, note: KILLED } : {}),
    ...resultOf(report),
    process: report,
  };
}

/** What came of it in clear: redaction rules say what of that a receipt may show. */
function resultOf({
  stdout,
  stderr,
  written,
}: ProcessReport): Pick<EffectResult<unknown>, 'evidence' | 'result'> {
  if (written === undefined) return {};
  const stream = (facts: StreamFacts<string> | undefined): JsonObject | undefined =>
    facts === undefined || facts === 'not_counted' ? undefined : { ...facts };
  const [out, err] = [stream(stdout), stream(stderr)];
  const result: JsonObject = {
    ...(out && { stdout: out }),
    ...(err && { stderr: err }),
    written: { ...written, files: written.files.map((file) => ({ ...file })) },
  };
  return { result, evidence: Buffer.from(canonicalize(result)) };
}

function stopped(denial: Denial): EffectResult<Denial> {
  return { status: 'failed', value: denial, stopped: denial };
}

function reportOf({ exitCode, use }: ProcessEnd): ProcessReport {
  return {
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(use?.memoryPeakBytes === undefined ? {} : { memoryPeakBytes: use.memoryPeakBytes }),
    ...(use?.cpuMs === undefined ? {} : { cpuMs: use.cpuMs }),
    ...(use?.wasOutOfMemory === true ? { outOfMemory: true } : {}),
  };
}

function present(
  presenter: Presenter | Denial,
  tool: string,
  args: JsonObject,
  parent: string | undefined,
): Action['presentation'] {
  if (isDenial(presenter)) return presenter;
  try {
    return presenter.present(tool, args, parent);
  } catch {
    return deny('internal.unexpected', 'the presenter failed');
  }
}

function never(): Promise<never> {
  throw new TypeError('a refusal was permitted');
}
