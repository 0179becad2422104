import { type ChildProcess, spawn } from 'node:child_process';
import { isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { mcpToolId, type OpenLink, upstreamEnvironment } from '../enforce/mcp/index.ts';
import { MAX_TOOLS } from '../environment/index.ts';
import type { ToolDefinition } from '../policy/index.ts';
import { LinkPeer, PeerFailure } from './link-peer.ts';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const LEGACY_VERSION = '2025-11-25';
const MODERN_VERSION = '2026-07-28';
const CLIENT = { name: 'writ', version: '0' };
/** Some servers list tools only to clients that can do these; all of them are to be pinned. */
const CAPABILITIES = { roots: {}, sampling: {}, elicitation: {} };
const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
  'io.modelcontextprotocol/clientInfo': CLIENT,
  'io.modelcontextprotocol/clientCapabilities': CAPABILITIES,
};

const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** Of everything a server says until it has listed its tools. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_PAGES = 256;
const MAX_STDERR_CHARACTERS = 4096;
const KILL_AFTER_MS = 1000;

export interface Listing {
  readonly tools: readonly ToolDefinition[];
  /** What else the server says it offers: `resources`, `prompts`, `completions`, … */
  readonly capabilities: ReadonlySet<string>;
}

/**
 * Starts an MCP server once, or calls one over HTTP, and lists its tools, every page, as this trust domain will pin them: with the handshake of
 * 2025-11-25 and before, or where the server refuses that, statelessly as of 2026-07-28.
 *
 * @returns `environment.unmeasured` where the server cannot be started or does not list its tools in time. The detail
 *   ends with the server's last words on stderr.
 */
export async function listTools(
  server: string,
  source: ServerCommand | OpenLink,
  options: { readonly timeoutMs: number },
): Promise<Listing | Denial> {
  const { timeoutMs } = options;
  const peer = typeof source === 'function' ? new LinkPeer(source, timeoutMs) : new Peer(source, timeoutMs);
  try {
    const { meta, capabilities } = await shakeHands(peer);
    const definitions = await listPages(peer, meta);
    const tools = definitions.map((definition) => ({
      server,
      id: mcpToolId(server, 'tools', String(definition.name)),
      definition,
    }));
    return { tools, capabilities };
  } catch (error) {
    const reason = error instanceof PeerFailure ? error.message : 'its answers cannot be used';
    return deny('environment.unmeasured', `the server ${reason}${peer.lastWords()}`);
  } finally {
    await peer.stop();
  }
}

type AnyPeer = Pick<Peer, 'request' | 'send' | 'lastWords' | 'stop'>;

/** What requests of the era that both sides speak carry, and what the server offers. */
async function shakeHands(
  peer: AnyPeer,
): Promise<{ readonly meta: JsonObject; readonly capabilities: ReadonlySet<string> }> {
  const answer = await peer.request('initialize', {
    protocolVersion: LEGACY_VERSION,
    capabilities: CAPABILITIES,
    clientInfo: CLIENT,
  });
  if (answer.result !== undefined) {
    peer.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return { meta: {}, capabilities: capabilitiesOf(answer.result) };
  }
  const meta = { _meta: MODERN_META };
  const discovered = await peer.request('server/discover', meta);
  if (discovered.result === undefined) throw new PeerFailure('speaks no version of MCP that is known here');
  return { meta, capabilities: capabilitiesOf(discovered.result) };
}

function capabilitiesOf(result: JsonValue): ReadonlySet<string> {
  const capabilities = isJsonObject(result) ? result.capabilities : undefined;
  return new Set(isJsonObject(capabilities) ? Object.keys(capabilities) : []);
}

async function listPages(peer: AnyPeer, meta: JsonObject): Promise<readonly JsonObject[]> {
  const definitions: JsonObject[] = [];
  const names = new Set<JsonValue | undefined>();
  const cursors = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { result, error } = await peer.request('tools/list', {
      ...meta,
      ...(cursor === undefined ? {} : { cursor }),
    });
    // A server without tools has no such method.
    if (isJsonObject(error) && error.code === -32601) return definitions;
    if (!isJsonObject(result) || !Array.isArray(result.tools))
      throw new PeerFailure('does not list its tools');
    for (const tool of result.tools as readonly JsonValue[]) {
      if (!isJsonObject(tool) || typeof tool.name !== 'string' || names.has(tool.name)) {
        throw new PeerFailure('lists a tool without a name, or one name twice');
      }
      names.add(tool.name);
      definitions.push(tool);
    }
    if (definitions.length > MAX_TOOLS) throw new PeerFailure(`lists more than ${MAX_TOOLS} tools`);
    const { nextCursor } = result;
    if (nextCursor === undefined || nextCursor === null) return definitions;
    if (typeof nextCursor !== 'string' || cursors.has(nextCursor)) break;
    cursors.add(nextCursor);
    cursor = nextCursor;
  }
  throw new PeerFailure('does not come to the end of its list of tools');
}

interface Answer {
  readonly result?: JsonValue;
  readonly error?: JsonValue;
}

/** One MCP server process and the requests that await its answers, all within one time limit. */
class Peer {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #failed: Promise<never>;
  #fail: (reason: PeerFailure) => void = () => undefined;
  readonly #timer: NodeJS.Timeout;
  #nextId = 1;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #totalBytes = 0;
  #stderr = '';

  constructor({ command, args, cwd, env }: ServerCommand, timeoutMs: number) {
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Somebody always waits for it with a request; when nobody does yet, it is no unhandled rejection.
    this.#failed.catch(() => undefined);
    this.#timer = setTimeout(
      () => this.#fail(new PeerFailure(`did not answer within ${Math.round(timeoutMs / 1000)} s`)),
      timeoutMs,
    );
    this.#child = spawn(command, [...args], {
      cwd,
      env: upstreamEnvironment(env),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      shell: false,
    });
    const { stdin, stdout, stderr } = this.#child;
    this.#child.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(new PeerFailure(`cannot be started: ${error.code ?? 'unknown error'}`)),
    );
    this.#child.on('exit', (code, signal) =>
      this.#fail(new PeerFailure(`exited with ${signal ?? code} before it listed its tools`)),
    );
    stdin?.on('error', () => undefined);
    stdout?.on('data', (chunk: Buffer) => this.#read(chunk));
    stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = `${this.#stderr}${chunk.toString('utf8')}`.slice(-MAX_STDERR_CHARACTERS);
    });
  }

  async request(method: string, params: JsonObject): Promise<Answer> {
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.send({ jsonrpc: '2.0', id, method, params });
    return Promise.race([answer, this.#failed]);
  }

  send(message: JsonObject): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** The end of what the server said on stderr, as an addition to a sentence. */
  lastWords(): string {
    const lines = this.#stderr.trim().split('\n').slice(-3).join(' | ');
    return lines === '' ? '' : `; it said: ${lines}`;
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.stdin?.end();
    signalGroup(pid, 'SIGTERM');
    const kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), KILL_AFTER_MS);
    await gone;
    clearTimeout(kill);
  }

  #read(chunk: Buffer): void {
    this.#totalBytes += chunk.byteLength;
    if (this.#totalBytes > MAX_BYTES) {
      this.#fail(new PeerFailure('says more than a list of tools can need'));
      this.#child.stdout?.destroy();
      return;
    }
    for (let start = 0; start < chunk.byteLength; ) {
      const newline = chunk.indexOf(0x0a, start);
      const end = newline < 0 ? chunk.byteLength : newline;
      this.#partial.push(chunk.subarray(start, end));
      this.#partialBytes += end - start;
      if (this.#partialBytes > MAX_LINE_BYTES) {
        this.#fail(new PeerFailure('sent a message over the size limit'));
        this.#child.stdout?.destroy();
        return;
      }
      if (newline < 0) return;
      const line = Buffer.concat(this.#partial);
      this.#partial = [];
      this.#partialBytes = 0;
      start = end + 1;
      this.#take(line);
    }
  }

  #take(line: Buffer): void {
    const message = parseJsonObject(line, 'request.malformed', { maxBytes: MAX_LINE_BYTES });
    if (isDenial(message)) return;
    const { id, method, result, error } = message;
    if (typeof method === 'string') {
      if (typeof id === 'string' || typeof id === 'number') this.#reply(id, method);
      return;
    }
    if (typeof id !== 'number') return;
    const settle = this.#waiting.get(id);
    this.#waiting.delete(id);
    settle?.({ ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) });
  }

  /** A server may ask things before it lists its tools; nothing is granted here. */
  #reply(id: string | number, method: string): void {
    const empty: Readonly<Record<string, JsonObject>> = { ping: {}, 'roots/list': { roots: [] } };
    const result = Object.hasOwn(empty, method) ? empty[method] : undefined;
    this.send(
      result === undefined
        ? { jsonrpc: '2.0', id, error: { code: -32601, message: 'not supported while tools are listed' } }
        : { jsonrpc: '2.0', id, result },
    );
  }
}

/** The server may have started others: its whole process group goes. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already.
  }
}
