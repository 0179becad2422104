import { z } from '@hono/zod-openapi';
import { type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { GovernanceFollower, Home } from '../../governor/index.ts';
import { DECISION_RECEIPT } from '../../receipt/index.ts';
import { openSqliteLogReader, type SqliteLogReader } from '../../storage/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { enrolledLogs } from '../known-logs.ts';
import { EventStream } from './event-stream.ts';
import { type Api, addOperation } from './operation.ts';
import { problem } from './problem.ts';
import { answersOf } from './shapes.ts';
import { formatStreamPosition, GOVERNANCE, parseStreamPosition } from './stream-position.ts';

const STEP_MS = 100;
const HEARTBEAT_STEPS = 150;
const NEW_LOGS_STEPS = 10;
const BATCH = 256;

/** `GET /v1/events`: what becomes durable, as it does. */
export function addEventStream(api: Api, { home, follower, config }: DaemonPorts): void {
  let open = 0;
  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/events',
      operationId: 'watchEvents',
      tags: ['Events'],
      summary: 'Decisions, outcomes and governance events as they become durable',
      description:
        'text/event-stream. Events are `decision`, `outcome` and `governance`; data is `{log, index, entry}`. `id` says how much of every log was told: with `Last-Event-ID` the stream goes on there, without a gap or a repetition. Otherwise it begins now. It ends where its caller may no longer read: the token was dismissed or has expired.',
      request: { headers: z.object({ 'last-event-id': z.string().optional() }) },
      responses: {
        200: { description: 'Events.', content: { 'text/event-stream': { schema: z.string() } } },
        ...answersOf(400, 401, 403, 429, 503),
      },
    },
    exposure: 'read',
    unbounded: true,
    handle(context, _body, _caller, stands) {
      const last = context.req.header('last-event-id');
      const position = last === undefined ? undefined : parseStreamPosition(last);
      if (last !== undefined && position === undefined) {
        return problem(400, 'Last-Event-ID is none that a stream has given out.');
      }
      if (open >= config.limits.maxEventStreams) return problem(503, 'Too many streams are open.');
      open += 1;
      const stream = new EventStream();
      const watch = new LogWatch(home, follower, stream, position);
      let steps = 0;
      const timer = setInterval(() => {
        steps += 1;
        try {
          if (steps % NEW_LOGS_STEPS === 0) watch.findLogs();
          // First: who may read no more is not told what has become durable since.
          if (!stands()) return stream.end();
          watch.tell();
          if (steps % HEARTBEAT_STEPS === 0) stream.comment();
        } catch {
          // A log that cannot be read now: its reader comes again, from where it was told to.
          stream.end();
        }
      }, STEP_MS);
      stream.onEnd(() => {
        open -= 1;
        clearInterval(timer);
        watch.close();
      });
      // At once, so that a reader has a place to resume from.
      stream.send('opened', {}, watch.id);
      return stream.response();
    },
  });
}

/** Tells a stream what is new in the logs of a domain. */
class LogWatch {
  readonly #home: Home;
  readonly #follower: GovernanceFollower;
  readonly #stream: EventStream;
  readonly #told: Map<string, number>;
  readonly #readers = new Map<string, SqliteLogReader>();

  constructor(
    home: Home,
    follower: GovernanceFollower,
    stream: EventStream,
    resumed: Map<string, number> | undefined,
  ) {
    this.#home = home;
    this.#follower = follower;
    this.#stream = stream;
    this.#told = new Map(resumed);
    this.#readers.set(GOVERNANCE, openSqliteLogReader(home.governanceFolder));
    if (!this.#told.has(GOVERNANCE)) this.#told.set(GOVERNANCE, follower.refresh().size);
    this.findLogs(resumed === undefined);
  }

  /** The id of what was told last. */
  get id(): string {
    return formatStreamPosition(this.#told);
  }

  /** @param skips begin with their next entries; else with their first, for logs that are new. */
  findLogs(skips = false): void {
    for (const log of enrolledLogs(this.#home, this.#follower)) {
      if (this.#readers.has(log)) continue;
      const reader = openSqliteLogReader(this.#home.executionLogFolder(log));
      this.#readers.set(log, reader);
      if (!this.#told.has(log)) this.#told.set(log, skips ? reader.head().size : 0);
    }
  }

  tell(): void {
    for (const [log, reader] of this.#readers) {
      // Governance events count once a verified checkpoint covers them.
      const size = log === GOVERNANCE ? this.#follower.refresh().size : reader.head().size;
      for (let told = this.#told.get(log) ?? 0; told < size && this.#stream.hasRoom; ) {
        const entries = reader.read(told, Math.min(BATCH, size - told));
        if (entries.length === 0) break;
        for (const bytes of entries) {
          const entry = parseJsonObject(bytes, 'log.unavailable');
          told += 1;
          this.#told.set(log, told);
          if (isDenial(entry)) continue;
          const name = log === GOVERNANCE ? 'governance' : nameOf(entry);
          this.#stream.send(name, { log, index: told - 1, entry }, this.id);
        }
      }
    }
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }
}

function nameOf({ type }: JsonObject): string {
  return type === DECISION_RECEIPT ? 'decision' : 'outcome';
}
