import type { Readable, Writable } from 'node:stream';
import { isDenial } from '../../../denial/index.ts';
import { encodeDenial, encodeFault, encodeParseError } from '../answer.ts';
import { readCallMeta } from '../call-meta.ts';
import { LineSplitter } from '../line-splitter.ts';
import { isListMethod } from '../listing.ts';
import { parseMessage, type RequestMessage } from '../message.ts';
import { classifyClientRequest } from '../method-class.ts';
import type { Diagnose, Presenter } from '../ports.ts';
import { present } from '../presenter.ts';
import { turnWriter } from '../turn-writer.ts';
import { addPresentation } from './brought-presentation.ts';
import { findMember, replaceValue } from './json-members.ts';
import type { OpenLink } from './upstream-link.ts';
import { splitName, splitUri } from './upstream-names.ts';

export interface ConnectorOptions {
  readonly client: { readonly input: Readable; readonly output: Writable };
  /** The gateway. */
  readonly open: OpenLink;
  readonly presenter: Presenter;
  /** Compact tokens, root first: shown where nothing is called, so that lists hold what is granted. */
  readonly chain: readonly string[];
  /** The only server behind the gateway, or undefined where names say which one they are of. */
  readonly server: string | undefined;
  readonly diagnose: Diagnose;
  readonly maxMessageBytes: number;
  /** How long requests in flight may still be answered after the client closed its side, milliseconds. */
  readonly drainMs?: number;
  readonly signal?: AbortSignal;
}

const DRAIN_MS = 1000;
const MAX_DEPTH = 64;

/**
 * The presenter beside the agent: stdio on its side, streamable HTTP to a gateway that asks for presentations. Each
 * request gets one for exactly what it asks for; nothing else of a message changes. The holder key stays here.
 *
 * It decides nothing: what the artifact does not grant is sent all the same, and denied and recorded where decisions are
 * made.
 */
export async function runConnector(
  options: ConnectorOptions,
): Promise<'client_closed' | 'gateway_gone' | 'stopped'> {
  const { client, diagnose, maxMessageBytes, drainMs = DRAIN_MS, signal } = options;
  const toClient = turnWriter(client.output);
  const waiting = new Set<string | number>();
  let end: (reason: 'client_closed' | 'gateway_gone' | 'stopped') => void = () => {};
  const ended = new Promise<'client_closed' | 'gateway_gone' | 'stopped'>((resolve) => {
    end = resolve;
  });
  const link = options.open({
    onLine: (line) => {
      const message = parseMessage(line, { maxBytes: line.byteLength, maxDepth: 256 });
      if (message.kind === 'refused') {
        diagnose('dropped a message from the gateway that is not one');
        return;
      }
      if (message.kind === 'response') waiting.delete(message.id);
      toClient(line);
    },
    onLost: (id, fault) => {
      waiting.delete(id);
      toClient(encodeFault(id, fault));
    },
    onGone: () => end('gateway_gone'),
  });
  const splitter = new LineSplitter({
    maxBytes: maxMessageBytes,
    onLine: (line) => {
      if (line.toString('latin1').trim() === '') return;
      const message = parseMessage(line, { maxBytes: maxMessageBytes, maxDepth: MAX_DEPTH });
      if (message.kind === 'refused') {
        const [id = null] = message.hints.requests;
        const encode = message.fault === 'parse' ? encodeParseError : encodeDenial;
        if (message.fault !== 'orphan') toClient(encode(id, message.denial));
        return;
      }
      if (message.kind !== 'request') {
        link.send(line);
        return;
      }
      waiting.add(message.id);
      link.send(presented(message, line, options));
    },
    onTooLong: () => diagnose('dropped a message from the client that is over the size limit'),
  });
  client.input.on('data', (chunk: Buffer) => splitter.push(chunk));
  for (const event of ['end', 'close', 'error']) client.input.on(event, () => end('client_closed'));
  client.output.on('error', () => end('client_closed'));
  signal?.addEventListener('abort', () => end('stopped'), { once: true });
  if (signal?.aborted) end('stopped');
  const reason = await ended;
  if (reason === 'client_closed') await quiet(waiting, drainMs);
  await link.stop();
  return reason;
}

/** The request with what presents it in its `_meta`. */
function presented(message: RequestMessage, line: Buffer, options: ConnectorOptions): Buffer {
  const { presenter, chain } = options;
  if (isListMethod(message.method)) return addPresentation(line, { aat_chain: chain });
  const own = ownRequest(message, line, options.server);
  if (own === undefined) return line;
  const { kind, actions } = classifyClientRequest(own.server, own.message);
  const [action] = actions;
  if (kind !== 'governed' || action === undefined) return line;
  const meta = readCallMeta(message.params);
  const parent = isDenial(meta) ? undefined : meta.parent;
  const presentation = present(presenter, action.tool, action.args, parent);
  return isDenial(presentation) ? line : addPresentation(line, { ...presentation });
}

/** The request as the server it is for will get it: that is what the proof is for. */
function ownRequest(
  message: RequestMessage,
  line: Buffer,
  server: string | undefined,
): { readonly server: string; readonly message: RequestMessage } | undefined {
  if (server !== undefined) return { server, message };
  for (const [member, split] of [
    ['name', splitName],
    ['uri', splitUri],
  ] as const) {
    const value = message.params[member];
    const target = typeof value === 'string' ? split(value) : undefined;
    const span = findMember(line, ['params', member]);
    if (target === undefined || span === undefined) continue;
    const own = replaceValue(line, span, JSON.stringify(target.name));
    const parsed = parseMessage(own, { maxBytes: own.byteLength, maxDepth: MAX_DEPTH });
    return parsed.kind === 'request' ? { server: target.upstream, message: parsed } : undefined;
  }
  return undefined;
}

async function quiet(waiting: ReadonlySet<unknown>, milliseconds: number): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (waiting.size > 0 && performance.now() < deadline) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
