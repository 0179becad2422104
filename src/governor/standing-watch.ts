import { canonicalize, digestOf } from '../codec/index.ts';
import { checkAuthority, checkPolicy, type Ground, type Snapshot, vouchedFor } from '../decision/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { type GovernanceLook, hasMoved, type Look } from './governance-look.ts';
import { type GovernorPorts, snapshotOf } from './ports.ts';

/** A running execution, as far as it is watched. */
export interface Watched {
  readonly ground: Ground;
  /** Called once, when the execution no longer stands. */
  stop(denial: Denial): void;
}

/** How often governance, measurement and time are looked at while something runs. A look costs microseconds. */
const LOOK_EVERY_MS = 10;
/** Longest that deciding again may keep the event loop. */
const SLICE_MS = 8;
const MINUTE_MS = 60_000;
/** A wall clock that goes back by more than this has been set. */
const MAX_BACK_MS = 1000;

/** What all executions were last decided again on. */
interface Basis {
  readonly look: Look;
  readonly measurement: Snapshot['measurement'];
  readonly trustBundles: Snapshot['trustBundles'];
  readonly wallMs: number;
  /** Wall time at which time alone may end something. */
  readonly dueMs: number;
}

/** Most executions end before the first pass: what only a pass needs is made then. */
interface Entry {
  readonly watched: Watched;
  /** What it was permitted on. */
  readonly begunOn: Snapshot;
  /** Alike for executions whose answer of `checkAuthority` is alike. */
  authority?: string;
  /** Alike for executions whose answer of `checkPolicy` is alike. */
  policy?: string;
  /** What policy was last asked on, of all that can change. */
  askedOn?: string;
}

/**
 * Decides again what runs, and stops what no longer stands: whenever the governance state, its freshness or the
 * measurement has moved, whenever time may have ended something, and every full minute, because policies may read the time.
 *
 * INVARIANT: at most `LOOK_EVERY_MS` and one pass over all executions after a change that would deny an execution, it is
 * told to stop. A pass takes slices of `SLICE_MS`, and equal questions are asked once.
 */
export class StandingWatch {
  readonly #ports: GovernorPorts;
  readonly #look: GovernanceLook;
  readonly #entries = new Map<Watched, Entry>();
  #basis: Basis | undefined;
  /** Resolves with whether it came to its end: one that something else overtook did not ask policy of everything. */
  #pass: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The earliest end of what was added since the last pass. */
  #addedDueMs = Number.POSITIVE_INFINITY;

  constructor(ports: GovernorPorts, look: GovernanceLook) {
    this.#ports = ports;
    this.#look = look;
  }

  /** @param begunOn what it was permitted on. */
  add(watched: Watched, begunOn: Snapshot): void {
    this.#entries.set(watched, { watched, begunOn });
    this.#addedDueMs = Math.min(this.#addedDueMs, endOf(watched.ground, begunOn));
    this.#timer ??= setInterval(() => this.#tick(), LOOK_EVERY_MS).unref();
  }

  remove(watched: Watched): void {
    this.#entries.delete(watched);
  }

  /**
   * Looks now rather than in a moment. Resolves when everything that does not stand on what is known now has been told to
   * stop. What moves meanwhile is not waited for: in a storm of revocations it would never end.
   */
  async reverify(): Promise<void> {
    // It may stand on what was known before.
    await this.#pass;
    let complete = false;
    while (!complete) {
      this.#start();
      complete = (await this.#pass) ?? true;
    }
  }

  #tick(): void {
    if (this.#entries.size > 0) {
      this.#start();
      return;
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #start(): void {
    if (this.#pass !== undefined || this.#entries.size === 0 || !this.#isDueOrUnknown()) return;
    const pass = this.#decideAgain().finally(() => {
      this.#pass = undefined;
    });
    this.#pass = pass;
  }

  /** INVARIANT: a look that fails ends no process, as one of a timer would: it is due, and the pass stops what cannot be decided. */
  #isDueOrUnknown(): boolean {
    try {
      return this.#isDue();
    } catch {
      return true;
    }
  }

  #isDue(): boolean {
    const basis = this.#basis;
    if (basis === undefined) return true;
    const wallMs = this.#ports.clock.wallMs();
    const look = this.#look.now();
    const { measurement, maxStalenessSeconds, trustBundles } = this.#ports.surroundings();
    const ageMs = wallMs - look.view.checkedAtMs;
    return (
      hasMoved(basis.look, look) ||
      look.view.policy !== basis.look.view.policy ||
      measurement !== basis.measurement ||
      trustBundles !== basis.trustBundles ||
      wallMs >= Math.min(basis.dueMs, this.#addedDueMs) ||
      wallMs < basis.wallMs - MAX_BACK_MS ||
      !(ageMs >= -MAX_BACK_MS && ageMs <= maxStalenessSeconds * 1000)
    );
  }

  /** One pass. What moves meanwhile is for the next one. Never rejects: what cannot be decided again is stopped. */
  async #decideAgain(): Promise<boolean> {
    try {
      const look = this.#look.now();
      const wallMs = this.#ports.clock.wallMs();
      const snapshot = snapshotOf(this.#ports, look.view, wallMs);
      const { measurement, trustBundles } = snapshot;
      const minuteMs = (Math.floor(wallMs / MINUTE_MS) + 1) * MINUTE_MS;
      this.#addedDueMs = Number.POSITIVE_INFINITY;
      this.#basis = { look, measurement, trustBundles, wallMs, dueMs: minuteMs };
      await this.#askAuthority(snapshot);
      const complete = await this.#askPolicy(snapshot);
      let dueMs = complete ? minuteMs : wallMs;
      for (const { watched } of this.#entries.values()) {
        dueMs = Math.min(dueMs, endOf(watched.ground, snapshot));
      }
      this.#basis = { look, measurement, trustBundles, wallMs, dueMs };
      return complete;
    } catch {
      this.#basis = undefined;
      for (const entry of [...this.#entries.values()]) {
        this.#stop(entry, deny('internal.unexpected', 'an execution could not be decided again'));
      }
      return true;
    }
  }

  /** Before policy: it is what a revocation ends, and costs a tenth. */
  async #askAuthority(snapshot: Snapshot): Promise<void> {
    const slice = new Slice();
    const answers = new Map<string, Denial | undefined>();
    for (const entry of [...this.#entries.values()]) {
      if (slice.isOver()) await slice.next();
      entry.authority ??= authorityQuestion(entry.watched.ground);
      const denial = remembered(answers, entry.authority, () =>
        checkAuthority(entry.watched.ground, snapshot),
      );
      if (denial !== undefined) this.#stop(entry, denial);
    }
  }

  /**
   * @returns false where it was broken off, because something has moved: that comes first. What was asked by then is not
   * asked again, so that every pass comes further.
   */
  async #askPolicy(snapshot: Snapshot): Promise<boolean> {
    const slice = new Slice();
    const answers = new Map<string, Denial | undefined>();
    const common = commonInputs(snapshot);
    let asked = 0;
    for (const entry of [...this.#entries.values()]) {
      if (slice.isOver()) {
        await slice.next();
        if (asked > 0 && this.#isDueOrUnknown()) return false;
      }
      const { watched, begunOn } = entry;
      const inputs = policyInputs(watched.ground, snapshot, common);
      entry.askedOn ??= policyInputs(watched.ground, begunOn, commonInputs(begunOn));
      if (inputs === entry.askedOn || !this.#entries.has(watched)) continue;
      asked += 1;
      entry.policy ??= policyQuestion(watched.ground);
      const denial = remembered(answers, entry.policy, () => checkPolicy(watched.ground, snapshot));
      entry.askedOn = inputs;
      if (denial !== undefined) this.#stop(entry, denial);
    }
    return true;
  }

  #stop({ watched }: Entry, denial: Denial): void {
    if (this.#entries.delete(watched)) watched.stop(denial);
  }
}

/** Work in pieces that leave the event loop to others in between. */
class Slice {
  #startedMs = performance.now();

  isOver(): boolean {
    return performance.now() - this.#startedMs >= SLICE_MS;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#startedMs = performance.now();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function remembered(
  answers: Map<string, Denial | undefined>,
  question: string,
  ask: () => Denial | undefined,
): Denial | undefined {
  if (answers.has(question)) return answers.get(question);
  const answer = ask();
  answers.set(question, answer);
  return answer;
}

function authorityQuestion({ chain, tool, toolDigest, workload }: Ground): string {
  return `${chain.digest} ${workload?.credential ?? '-'} ${toolDigest ?? '-'} ${tool}`;
}

/** What of policy's inputs can change while executions run, the same for all of them. The time counts by the minute. */
function commonInputs({ policy, governance, measurement, nowSeconds }: Snapshot): string {
  return [
    governance.policy?.id,
    governance.policy?.digest,
    policy?.bundle.digest,
    measurement?.digest,
    Math.floor(nowSeconds / 60),
  ].join(' ');
}

/** The same of one: the agent that its leaf key belongs to now, how far the measurement is proven, and all that is common. */
function policyInputs({ chain }: Ground, snapshot: Snapshot, common: string): string {
  const agent = snapshot.governance.agentByThumbprint(chain.leaf.holder.thumbprint)?.subject ?? '';
  return `${agent} ${vouchedFor(chain, snapshot)?.assurance ?? '-'} ${common}`;
}

/** What of policy's inputs cannot. The executions of a parent share no answer: what policies read of it may grow. */
function policyQuestion({ chain, tool, args, workload, lineage, parent }: Ground): string {
  const { rootExecutionId = '' } = lineage;
  return JSON.stringify([
    chain.digest,
    tool,
    digestOf(canonicalize(args)),
    lineage.depth,
    rootExecutionId,
    parent?.executionId ?? '',
    workload?.credential ?? '',
  ]);
}

/** Wall time (milliseconds) at which a chain ends, or the measurement or a quote of it is too old for it. */
function endOf({ chain }: Ground, { measurement, governance, nowSeconds }: Snapshot): number {
  let endSeconds = Number.POSITIVE_INFINITY;
  for (const { attester, at } of measurement?.quotes ?? []) {
    const { maxAgeSeconds = 0 } = governance.environmentByName(attester)?.attester ?? {};
    const limits = chain.tokens.map(({ writ }) => writ.environment?.maxAgeSeconds ?? maxAgeSeconds);
    const oldSeconds = at + Math.min(maxAgeSeconds, ...limits) + 0.001;
    // One that is too old already changes nothing any more.
    if (oldSeconds > nowSeconds) endSeconds = Math.min(endSeconds, oldSeconds);
  }
  for (const { expSeconds, writ } of chain.tokens) {
    endSeconds = Math.min(endSeconds, expSeconds);
    const maxAgeSeconds = writ.environment?.maxAgeSeconds;
    if (maxAgeSeconds !== undefined && measurement !== undefined) {
      // As old as allowed still is young enough.
      endSeconds = Math.min(endSeconds, measurement.measuredAtSeconds + maxAgeSeconds + 0.001);
    }
  }
  return endSeconds * 1000;
}
