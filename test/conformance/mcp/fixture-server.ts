import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/codec/index.ts';
import {
  FIXED_RESULTS,
  getPrompt,
  PROMPTS,
  RESOURCES,
  readResource,
  TEMPLATES,
  TOOLS,
} from './fixture-contents.ts';
import {
  asksFirst,
  capabilityQuestions,
  elicitation,
  InvalidParams,
  nextQuestions,
} from './fixture-questions.ts';

const MODERN = '2026-07-28';
const LEGACY = ['2025-11-25', '2025-06-18', '2025-03-26'];
const META = 'io.modelcontextprotocol/';
const SERVER_INFO = { name: 'writ-conformance-fixture', version: '1.0.0' };
const CAPABILITIES = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  completions: {},
};
const STEP_MS = 10;

/** Sends a message on the stream that belongs to the request being handled. */
export type Send = (message: JsonObject) => void;

class RpcError extends Error {
  readonly code: number;
  readonly data: JsonObject | undefined;

  constructor(code: number, message: string, data?: JsonObject) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

interface Subscription {
  readonly id: JsonValue;
  readonly wanted: JsonObject;
  readonly send: Send;
}

/**
 * A server of both eras with everything that the conformance suite's scenarios look for, without any transport: one for
 * each session of the older era, one for all requests of the newer.
 */
export class FixtureServer {
  readonly #waiting = new Map<JsonValue, (answer: JsonObject) => void>();
  readonly #subscriptions = new Set<Subscription>();
  #asked = 0;

  /** Takes one message; what comes of it is sent, the answer last. Resolves when there is nothing more to say. */
  async receive(message: JsonObject, send: Send): Promise<void> {
    const { id, method } = message;
    if (typeof method !== 'string') {
      if (id !== undefined) this.#waiting.get(id)?.(message);
      return;
    }
    const params = isJsonObject(message.params) ? message.params : {};
    if (id === undefined) {
      if (method === 'notifications/cancelled') this.#unsubscribe(params.requestId);
      return;
    }
    try {
      const result = await this.#handle(method, params, id, send);
      if (result !== undefined) send({ jsonrpc: '2.0', id, result });
    } catch (error) {
      send({ jsonrpc: '2.0', id, error: errorOf(error) });
    }
  }

  /** The stream of a subscription is closed. */
  drop(send: Send): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.send === send) this.#subscriptions.delete(subscription);
    }
  }

  async #handle(
    method: string,
    params: JsonObject,
    id: JsonValue,
    send: Send,
  ): Promise<JsonObject | undefined> {
    const meta = isJsonObject(params._meta) ? params._meta : {};
    const version = meta[`${META}protocolVersion`];
    if (version === undefined) return this.#legacy(method, params, send);
    const capabilities = meta[`${META}clientCapabilities`];
    if (version !== MODERN) {
      throw new RpcError(-32022, 'Unsupported protocol version', { supported: [MODERN], requested: version });
    }
    if (!isJsonObject(capabilities)) throw new RpcError(-32602, 'clientCapabilities are missing');
    if (method === 'subscriptions/listen') {
      this.#subscribe(params, id, send);
      return undefined;
    }
    const result = await this.#modern(method, params, capabilities, send);
    return {
      resultType: 'complete',
      ...result,
      _meta: { [`${META}serverInfo`]: SERVER_INFO },
    };
  }

  async #legacy(method: string, params: JsonObject, send: Send): Promise<JsonObject> {
    switch (method) {
      case 'initialize':
        return {
          protocolVersion: LEGACY.find((version) => version === params.protocolVersion) ?? LEGACY[0] ?? '',
          capabilities: { ...CAPABILITIES, logging: {} },
          serverInfo: SERVER_INFO,
        };
      case 'ping':
      case 'logging/setLevel':
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        return {};
      case 'tools/call':
        return this.#call(params, {}, send);
      default:
        return this.#common(method, params);
    }
  }

  async #modern(
    method: string,
    params: JsonObject,
    capabilities: JsonObject,
    send: Send,
  ): Promise<JsonObject> {
    const cached = { ttlMs: 1000, cacheScope: 'public' };
    switch (method) {
      case 'server/discover':
        return { supportedVersions: [MODERN], capabilities: CAPABILITIES, ...cached };
      case 'tools/call':
        return this.#callModern(params, capabilities, send);
      case 'prompts/get': {
        const name = String(params.name);
        if (!asksFirst(name)) return this.#common(method, params);
        const asks = nextQuestions(name, params);
        return asks ?? { messages: [{ role: 'user', content: { type: 'text', text: 'In your context.' } }] };
      }
      case 'resources/read':
      case 'tools/list':
      case 'prompts/list':
      case 'resources/list':
      case 'resources/templates/list':
        return { ...this.#common(method, params), ...cached };
      default:
        return this.#common(method, params);
    }
  }

  #common(method: string, params: JsonObject): JsonObject {
    switch (method) {
      case 'tools/list':
        return { tools: TOOLS };
      case 'resources/list':
        return { resources: RESOURCES };
      case 'resources/templates/list':
        return { resourceTemplates: TEMPLATES };
      case 'prompts/list':
        return { prompts: PROMPTS };
      case 'completion/complete':
        return { completion: { values: [], total: 0, hasMore: false } };
      case 'resources/read': {
        const uri = String(params.uri);
        const contents = readResource(uri);
        if (contents === undefined) throw new RpcError(-32602, 'Resource not found', { uri });
        return contents;
      }
      case 'prompts/get': {
        const prompt = getPrompt(String(params.name), isJsonObject(params.arguments) ? params.arguments : {});
        if (prompt === undefined) throw new RpcError(-32602, 'No such prompt');
        return prompt;
      }
      default:
        throw new RpcError(-32601, 'Method not found');
    }
  }

  async #callModern(params: JsonObject, capabilities: JsonObject, send: Send): Promise<JsonObject> {
    const name = String(params.name);
    switch (name) {
      case 'test_missing_capability':
        if ('sampling' in capabilities) return { content: [{ type: 'text', text: 'It has it.' }] };
        throw new RpcError(-32021, 'Missing required client capability', {
          requiredCapabilities: { sampling: {} },
        });
      case 'test_input_required_result_capabilities':
        return capabilityQuestions(capabilities);
      case 'test_trigger_tool_change':
        this.#announce('tools');
        return { content: [{ type: 'text', text: 'Announced.' }] };
      case 'test_trigger_prompt_change':
        this.#announce('prompts');
        return { content: [{ type: 'text', text: 'Announced.' }] };
      default: {
        if (!asksFirst(name)) return this.#call(params, capabilities, send);
        const asks = nextQuestions(name, params);
        const said = `state-ok: ${JSON.stringify(params.inputResponses)}`;
        return asks ?? { content: [{ type: 'text', text: said }] };
      }
    }
  }

  async #call(params: JsonObject, _capabilities: JsonObject, send: Send): Promise<JsonObject> {
    const name = String(params.name);
    const args = isJsonObject(params.arguments) ? params.arguments : {};
    const fixed = FIXED_RESULTS[name];
    if (fixed !== undefined) return fixed;
    const said = (text: string): JsonObject => ({ content: [{ type: 'text', text }] });
    switch (name) {
      case 'test_tool_with_logging':
        for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
          send({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } });
          await sleep(STEP_MS);
        }
        return said('Tool with logging executed successfully');
      case 'test_tool_with_progress': {
        const meta = isJsonObject(params._meta) ? params._meta : {};
        const { progressToken } = meta;
        for (const progress of [0, 50, 100]) {
          if (progressToken !== undefined) {
            const progressed = { progressToken, progress, total: 100 };
            send({ jsonrpc: '2.0', method: 'notifications/progress', params: progressed });
          }
          await sleep(STEP_MS);
        }
        return said('Done');
      }
      case 'test_sampling': {
        const messages = [{ role: 'user', content: { type: 'text', text: String(args.prompt) } }];
        const answer = await this.#ask('sampling/createMessage', { messages, maxTokens: 100 }, send);
        return said(`LLM response: ${JSON.stringify(answer)}`);
      }
      case 'test_elicitation':
        return said(
          `User response: ${JSON.stringify(await this.#elicit(send, String(args.message), SIMPLE_FORM))}`,
        );
      case 'test_elicitation_sep1034_defaults':
        return said(
          `Elicitation completed: ${JSON.stringify(await this.#elicit(send, 'Defaults', DEFAULTS_FORM))}`,
        );
      case 'test_elicitation_sep1330_enums':
        return said(
          `Elicitation completed: ${JSON.stringify(await this.#elicit(send, 'Choose', ENUMS_FORM))}`,
        );
      default:
        throw new RpcError(-32602, 'No such tool');
    }
  }

  #elicit(send: Send, message: string, properties: JsonObject): Promise<JsonValue> {
    const { params } = elicitation(message, properties);
    return this.#ask('elicitation/create', isJsonObject(params) ? params : {}, send);
  }

  async #ask(method: string, params: JsonObject, send: Send): Promise<JsonValue> {
    this.#asked += 1;
    const id = `ask-${this.#asked}`;
    const answered = new Promise<JsonObject>((resolve) => this.#waiting.set(id, resolve));
    send({ jsonrpc: '2.0', id, method, params });
    const { result, error } = await answered;
    this.#waiting.delete(id);
    return result ?? error ?? null;
  }

  #subscribe({ notifications }: JsonObject, id: JsonValue, send: Send): void {
    const wanted = isJsonObject(notifications) ? notifications : {};
    this.#subscriptions.add({ id, wanted, send });
    send({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: wanted, _meta: { [`${META}subscriptionId`]: id } },
    });
  }

  #unsubscribe(id: JsonValue | undefined): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.id === id) this.#subscriptions.delete(subscription);
    }
  }

  #announce(what: 'tools' | 'prompts'): void {
    for (const { id, wanted, send } of this.#subscriptions) {
      if (wanted[`${what}ListChanged`] !== true) continue;
      const params = { _meta: { [`${META}subscriptionId`]: id } };
      send({ jsonrpc: '2.0', method: `notifications/${what}/list_changed`, params });
    }
  }
}

const SIMPLE_FORM = { username: { type: 'string' }, email: { type: 'string' } };
const DEFAULTS_FORM = {
  name: { type: 'string', default: 'John Doe' },
  age: { type: 'integer', default: 30 },
  score: { type: 'number', default: 95.5 },
  status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', default: true },
};
const titled = (title: string) => [1, 2, 3].map((n) => ({ const: `value${n}`, title: `${title} ${n}` }));
const ENUMS_FORM: JsonObject = {
  untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
  titledSingle: { type: 'string', oneOf: titled('Option') },
  legacyEnum: {
    type: 'string',
    enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'],
  },
  untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
  titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
};

function errorOf(error: unknown): JsonObject {
  if (error instanceof RpcError) {
    const { code, message, data } = error;
    return { code, message, ...(data === undefined ? {} : { data }) };
  }
  if (error instanceof InvalidParams) return { code: -32602, message: error.message };
  return { code: -32603, message: 'Internal error' };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
