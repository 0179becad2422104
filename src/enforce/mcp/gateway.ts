import type { Readable, Writable } from 'node:stream';
import type { Digest } from '../../codec/index.ts';
import { toolDefinitionDigest } from '../../policy/index.ts';
import { FAULTS, type Fault } from './answer.ts';
import { createDiagnose, passStderr } from './diagnostics.ts';
import { LineSplitter } from './line-splitter.ts';
import type { CallGovernor, Diagnose, Presenter } from './ports.ts';
import { Session } from './session.ts';
import { DEFAULT_SESSION_LIMITS, type ListedTool, type SessionLimits } from './session-ports.ts';
import { isServerName } from './tool-id.ts';
import { turnWriter } from './turn-writer.ts';
import { type UpstreamCommand, type UpstreamExit, UpstreamProcess } from './upstream-process.ts';

export interface GatewayOptions {
  /** Configured name of the server: the `fs` of `mcp://fs/tools/read_text_file`. */
  readonly name: string;
  /** The server to put the gateway in front of, as a command or already started. */
  readonly upstream: UpstreamCommand | UpstreamProcess;
  readonly client: { readonly input: Readable; readonly output: Writable };
  readonly governor: CallGovernor;
  readonly presenter: Presenter;
  /** Digest a tool's definition is pinned to; lists withhold a tool that differs. Default: none is pinned. */
  readonly pinnedDigest?: (tool: string) => Digest | undefined;
  /** Told of the upstream's tool definitions whenever they have been listed: for the governor's measurement. */
  readonly onDefinitions?: (tools: readonly ListedTool[]) => void;
  /** Base URL of the console: clients that can show one are sent there where a call needs approval. */
  readonly consoleUrl?: string;
  /** For diagnostics and the upstream's stderr. */
  readonly stderr: Writable;
  readonly limits?: Partial<SessionLimits & GatewayLimits>;
  /** Ends the gateway at once. */
  readonly signal?: AbortSignal;
}

export interface GatewayLimits {
  /** How long calls in flight may still be answered after the client closed its side, milliseconds. */
  readonly drainMs: number;
  /** From the upstream's end of input to SIGTERM, and from there to SIGKILL, milliseconds. */
  readonly exitGraceMs: number;
  readonly termGraceMs: number;
}

export interface GatewayExit {
  readonly reason: 'client_closed' | 'upstream_exited' | 'upstream_failed' | 'stopped';
  readonly upstream: UpstreamExit;
}

/** Under the two seconds after which the official SDKs kill a server that does not exit. */
const DEFAULT_GATEWAY_LIMITS: GatewayLimits = { drainMs: 1000, exitGraceMs: 500, termGraceMs: 300 };

const HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** Backlog of answers of our own: far above what forwarding alone can reach, so that the two never wait for each other. */
const OWN_HIGH_WATER_BYTES = 32 * 1024 * 1024;
const RECHECK_MS = 20;
const FLUSH_MS = 1000;
const LAST_WORDS_MS = 200;

/**
 * Stands between an unmodified MCP client and an unmodified MCP server on stdio: presenter and enforcer in one
 * process. Resolves when either side is gone and every execution's outcome is recorded; never rejects because of what
 * a peer did. Misuse throws TypeError.
 *
 * Messages are forwarded as the very bytes that were parsed, `_meta` included. Four things are written by the gateway
 * itself: errors, filtered lists, its own `tools/list` and `subscriptions/listen`, and results a client asked to carry
 * the receipt's id (`_meta: {"writ/receipt": true}`).
 */
export async function runMcpGateway(options: GatewayOptions): Promise<GatewayExit> {
  if (!isServerName(options.name)) throw new TypeError('not a server name');
  return new Gateway(options).run();
}

class Gateway {
  readonly #options: GatewayOptions;
  readonly #limits: SessionLimits & GatewayLimits;
  readonly #diagnose: Diagnose;
  readonly #upstream: UpstreamProcess;
  readonly #session: Session;
  readonly #fromClient: LineSplitter;
  readonly #fromUpstream: LineSplitter;
  readonly #ended: Promise<GatewayExit['reason']>;
  #end: (reason: GatewayExit['reason']) => void = () => {};
  #recheck: NodeJS.Timeout | undefined;

  constructor(options: GatewayOptions) {
    const { client, governor, presenter } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_SESSION_LIMITS, ...DEFAULT_GATEWAY_LIMITS, ...options.limits };
    this.#diagnose = createDiagnose(options.stderr, options.name);
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { upstream } = options;
    this.#upstream = upstream instanceof UpstreamProcess ? upstream : new UpstreamProcess(upstream);
    const toUpstream = turnWriter(this.#upstream.stdin);
    this.#session = new Session({
      server: options.name,
      governor,
      presenter,
      digestOf: toolDefinitionDigest,
      onDefinitions: options.onDefinitions ?? (() => {}),
      pinnedDigest: options.pinnedDigest ?? (() => undefined),
      toClient: turnWriter(client.output),
      toUpstream: (bytes) => {
        if (!this.#upstream.isGone && this.#upstream.stdin.writable) toUpstream(bytes);
      },
      killUpstream: () =>
        this.#endUpstream(FAULTS.killed, 'the upstream went on with a call that was stopped and is killed'),
      diagnose: this.#diagnose,
      limits: this.#limits,
      consoleUrl: options.consoleUrl,
    });
    this.#fromClient = new LineSplitter({
      maxBytes: this.#limits.maxClientMessageBytes,
      onLine: (line) => this.#guarded(() => this.#session.fromClient(line)),
      onTooLong: () => this.#session.clientLineTooLong(),
    });
    this.#fromUpstream = new LineSplitter({
      maxBytes: this.#limits.maxServerMessageBytes,
      onLine: (line) => this.#guarded(() => this.#session.fromUpstream(line)),
      onTooLong: () =>
        this.#endUpstream(FAULTS.oversized, 'the upstream sent a message over the size limit and is stopped'),
    });
  }

  async run(): Promise<GatewayExit> {
    this.#listen();
    const reason = await this.#ended;
    const upstream = await this.#shutDown(reason);
    return { reason: upstream.failedToStart ? 'upstream_failed' : reason, upstream };
  }

  #listen(): void {
    const { client, stderr, signal } = this.#options;
    const { input, output } = client;
    const { stdin, stdout } = this.#upstream;

    input.on('data', this.#onClientData);
    for (const event of ['end', 'close', 'error']) input.on(event, this.#onClientGone);
    output.on('error', this.#onClientGone);
    output.on('drain', this.#regulate);
    stdout.on('data', (chunk: Buffer) => {
      this.#fromUpstream.push(chunk);
      this.#regulate();
    });
    stdout.on('error', () => {});
    stdin.on('drain', this.#regulate);
    passStderr(this.#upstream.stderr, stderr);
    void this.#upstreamGone().then(() => this.#end('upstream_exited'));
    signal?.addEventListener('abort', () => this.#end('stopped'), { once: true });
    if (signal?.aborted) this.#end('stopped');
  }

  readonly #onClientData = (chunk: Buffer): void => {
    this.#fromClient.push(chunk);
    this.#regulate();
  };

  readonly #onClientGone = (): void => this.#end('client_closed');

  /** The process is gone and what it said last has been read; or it closed its output, which comes to the same. */
  async #upstreamGone(): Promise<void> {
    const { stdout, exited } = this.#upstream;
    const outputEnded = new Promise<void>((resolve) => stdout.once('close', resolve));
    await Promise.race([exited, outputEnded]);
    // A grandchild may hold the pipe open for ever.
    await Promise.race([outputEnded, sleep(LAST_WORDS_MS)]);
  }

  #endUpstream(fault: Fault, event: string): void {
    this.#diagnose(event);
    this.#session.upstreamFailed(fault);
    this.#upstream.stdout.destroy();
    this.#upstream.kill('SIGKILL');
    this.#end('upstream_failed');
  }

  /** INVARIANT: a line that makes us fail is not forwarded, and the session goes on. */
  #guarded(handle: () => void): void {
    try {
      handle();
    } catch {
      this.#diagnose('dropped a message that could not be handled');
    }
  }

  /** Reads from each side only as fast as the other takes it and decisions are made. */
  readonly #regulate = (): void => {
    const { input, output } = this.#options.client;
    const { stdin, stdout } = this.#upstream;
    const { heldBytes } = this.#session;
    const clientWaits =
      stdin.writableLength > HIGH_WATER_BYTES ||
      output.writableLength > OWN_HIGH_WATER_BYTES ||
      heldBytes.client > HIGH_WATER_BYTES;
    const upstreamWaits =
      output.writableLength > HIGH_WATER_BYTES ||
      stdin.writableLength > OWN_HIGH_WATER_BYTES ||
      heldBytes.upstream > HIGH_WATER_BYTES;
    setPaused(input, clientWaits);
    setPaused(stdout, upstreamWaits);
    if ((clientWaits || upstreamWaits) && this.#recheck === undefined) {
      this.#recheck = setTimeout(() => {
        this.#recheck = undefined;
        this.#regulate();
      }, RECHECK_MS);
    }
  };

  async #shutDown(reason: GatewayExit['reason']): Promise<UpstreamExit> {
    const { input, output } = this.#options.client;
    const { drainMs, exitGraceMs, termGraceMs } = this.#limits;
    if (reason === 'client_closed') await this.#waitUntilQuiet(drainMs);
    input.off('data', this.#onClientData);
    input.pause();
    const stopping = reason === 'stopped' || reason === 'upstream_failed';
    if (reason === 'upstream_exited') {
      this.#session.upstreamFailed(this.#upstream.failedToStart ? FAULTS.notRunning : FAULTS.exited);
    }
    const exit = await this.#upstream.stop({
      afterEndOfInput: stopping ? 0 : exitGraceMs,
      afterTerm: termGraceMs,
    });
    this.#session.upstreamFailed(FAULTS.closing);
    await this.#session.idle();
    clearTimeout(this.#recheck);
    await flush(output);
    for (const event of ['end', 'close', 'error']) input.off(event, this.#onClientGone);
    output.off('drain', this.#regulate);
    return exit;
  }

  async #waitUntilQuiet(milliseconds: number): Promise<void> {
    const deadline = performance.now() + milliseconds;
    while (!this.#session.isQuiet && !this.#upstream.isGone && performance.now() < deadline) await sleep(5);
  }
}

function setPaused(stream: Readable, paused: boolean): void {
  if (paused === stream.isPaused()) return;
  if (paused) stream.pause();
  else stream.resume();
}

/** Waits until the stream has taken what was written, or is broken, or takes too long. */
async function flush(output: Writable): Promise<void> {
  if (output.destroyed || output.writableLength === 0) return;
  const written = new Promise<void>((resolve) => output.write('', () => resolve()));
  await Promise.race([written, sleep(FLUSH_MS)]);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
