import {
  type Digest,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
} from '../../codec/index.ts';
import { MAX_TOOLS } from '../../environment/index.ts';
import { findAlias } from './alias.ts';
import { type Era, ownMeta } from './era.ts';
import type { RequestId } from './message.ts';
import type { OwnRequests } from './own-requests.ts';
import type { Diagnose } from './ports.ts';
import { readToolList } from './tool-list.ts';

/** The members a pinned digest covers (DESIGN §7); a member that differs from one in case only makes it meaningless. */
const PINNED_MEMBERS = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'];

const MAX_BACKOFF_MS = 1000;
const MAX_NAME_CHARACTERS = 1024;

/**
 * What the upstream says of a tool now: its definition's digest; `unlisted` where the complete list lacks it;
 * `ambiguous` where no digest can stand for it (listed twice, or with look-alike members); `unknown` where there is no
 * complete list.
 */
export type DefinitionState = Digest | 'unlisted' | 'ambiguous' | 'unknown';

export interface ToolDefinitionsOptions {
  readonly requests: OwnRequests;
  readonly digestOf: (definition: JsonObject) => Digest;
  /** Longest a call waits for the list, and the list for each page, in milliseconds. */
  readonly timeoutMs: number;
  readonly diagnose: Diagnose;
  /** Told of every complete list, before any call is decided by it. A list that it throws on is not used. */
  readonly onList: (digests: ReadonlyMap<string, Digest>) => void;
}

/**
 * The upstream's tool definitions as the gateway itself lists them: every page, again whenever they change. While a
 * list is being taken nothing is known, so a call that races a change waits for the new list.
 */
export class ToolDefinitions {
  readonly #options: ToolDefinitionsOptions;
  #states = new Map<string, Digest | 'ambiguous'>();
  #known = false;
  #listing: Promise<void> | undefined;
  #dirty = false;
  #era: Era | undefined;
  #subscribedVersion: string | undefined;
  #subscription: RequestId | undefined;

  constructor(options: ToolDefinitionsOptions) {
    this.#options = options;
  }

  /** The session can be used in this era: lists the tools unless they are known already. */
  ready(era: Era): void {
    const changed = this.#era?.kind !== era.kind;
    this.#era = era;
    if (changed || (!this.#known && this.#listing === undefined)) this.#list();
    if (era.kind === 'modern') this.#subscribe(era);
  }

  /** The upstream said that its tools changed. */
  changed(): void {
    this.#known = false;
    if (this.#era !== undefined) this.#list();
  }

  /** Takes note of definitions the upstream showed to the client: it may show the gateway others. */
  observe(tools: JsonArray): void {
    for (const [name, state] of this.#digest(tools)) {
      if (this.#states.size < MAX_TOOLS || this.#states.has(name)) this.#states.set(name, state);
    }
  }

  /** Whether a notification belongs to the gateway's own subscription. */
  isOwnSubscription(id: RequestId | undefined): boolean {
    return id !== undefined && this.#options.requests.isOwn(id);
  }

  /** A tool's state: at once where the list is complete, else when it is, or `unknown` after the time limit. */
  lookUp(name: string, era: Era): DefinitionState | Promise<DefinitionState> {
    if (this.#known) return this.#states.get(name) ?? 'unlisted';
    this.#era ??= era;
    return this.#lookUpLater(name);
  }

  async #lookUpLater(name: string): Promise<DefinitionState> {
    if (this.#listing === undefined) this.#list();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.timeoutMs);
    });
    await Promise.race([this.#listing, timeout]);
    clearTimeout(timer);
    return this.#known ? (this.#states.get(name) ?? 'unlisted') : 'unknown';
  }

  #list(): void {
    this.#dirty = true;
    this.#listing ??= this.#listUntilClean();
  }

  async #listUntilClean(): Promise<void> {
    for (let round = 0; this.#dirty; round += 1) {
      // An upstream that announces a change with every list would keep us busy otherwise.
      if (round > 0) await sleep(Math.min(2 ** round, MAX_BACKOFF_MS));
      this.#dirty = false;
      this.#known = false;
      const states = await this.#takeList();
      if (states === undefined) this.#options.diagnose("the upstream's list of tools is not usable");
      if (this.#dirty || states === undefined) continue;
      this.#states = states;
      this.#known = true;
    }
    // Together with the last look at #dirty, so that no change falls between the two.
    this.#listing = undefined;
  }

  async #takeList(): Promise<Map<string, Digest | 'ambiguous'> | undefined> {
    const { requests, timeoutMs, onList } = this.#options;
    const states = new Map<string, Digest | 'ambiguous'>();
    try {
      const complete = await readToolList(requests, this.#era ?? { kind: 'legacy' }, timeoutMs, (tools) =>
        this.#digest(tools, states),
      );
      if (!complete) return undefined;
      if (!this.#dirty) onList(unambiguous(states));
      return states;
    } catch {
      // INVARIANT: nothing an upstream lists ends the gateway; what cannot be taken note of is not known.
      return undefined;
    }
  }

  /** Adds what these definitions are to what those before them were. */
  #digest(
    tools: JsonArray,
    states = new Map<string, Digest | 'ambiguous'>(),
  ): Map<string, Digest | 'ambiguous'> {
    for (const tool of tools) {
      const name = toolNameOf(tool);
      // A call of a name this long is denied whatever its definition is.
      if (name === undefined || name.length > MAX_NAME_CHARACTERS || !isJsonObject(tool)) continue;
      const ambiguous = states.has(name) || hasLookalikeMembers(tool);
      states.set(name, ambiguous ? 'ambiguous' : this.#options.digestOf(tool));
    }
    return states;
  }

  /** 2026-07-28 announces changes only to those who listen for them. A server without the method just says so. */
  #subscribe(era: Era & { kind: 'modern' }): void {
    if (this.#subscribedVersion === era.version) return;
    this.#subscribedVersion = era.version;
    const params = { ...ownMeta(era), notifications: { toolsListChanged: true } };
    const { id, answer } = this.#options.requests.send('subscriptions/listen', params, undefined);
    this.#subscription = id;
    void answer.then((end) => {
      if (typeof end === 'object' && end.result !== undefined) this.subscriptionEnded(id);
    });
  }

  /** The upstream ended the gateway's own subscription: list again now, listen again when the client next asks anything. */
  subscriptionEnded(id: RequestId): void {
    if (id !== this.#subscription) return;
    this.#subscribedVersion = undefined;
    this.changed();
  }
}

/** Whether a peer that matches names without regard to case could read another definition than its digest covers. */
export function hasLookalikeMembers(definition: JsonObject): boolean {
  return findAlias(definition, PINNED_MEMBERS);
}

function toolNameOf(tool: JsonValue): string | undefined {
  const name = isJsonObject(tool) ? tool.name : undefined;
  return typeof name === 'string' ? name : undefined;
}

function unambiguous(states: ReadonlyMap<string, Digest | 'ambiguous'>): Map<string, Digest> {
  return new Map([...states].filter((entry): entry is [string, Digest] => entry[1] !== 'ambiguous'));
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
