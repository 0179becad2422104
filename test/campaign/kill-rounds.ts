import { mcpToolId } from '../../src/enforce/mcp/index.ts';
import { listExecutionLogs, openGovernor } from '../../src/governor/index.ts';
import { toolDefinitionDigest } from '../../src/policy/index.ts';
import { argumentsOfProof } from '../../src/receipt/index.ts';
import { EFFECT_TOOLS } from '../fixtures/effects-server-tools.ts';
import { nowSeconds } from '../support/trust-domain.ts';
import {
  FORBIDDEN_LABEL,
  GATEWAY_NAME,
  type KillWorld,
  makeKillWorld,
  runLogVerify,
  waitForSilence,
} from './kill-world.ts';
import { LogAudit, type RecordedPermit } from './log-audit.ts';
import type { Random } from './random.ts';
import { type Answer, RawClient } from './raw-client.ts';

/** When in a gateway's life it is killed. */
export type Phase = 'start-up' | 'first commits' | 'busy' | 'idle' | 'closing';

export interface KillReport {
  rounds: number;
  /** Results and denials that reached the client. */
  results: number;
  denied: number;
  /** Calls that were in flight when the gateway was killed. */
  unanswered: number;
  effects: number;
  permits: number;
  denials: number;
  outcomes: number;
  /** Old proofs presented again. */
  replays: number;
  readonly kills: Record<Phase, number>;
  readonly violations: string[];
}

export interface KillOptions {
  readonly rounds: number;
  readonly random: Random;
  /** Rounds after which a fresh trust domain is made: the first start on a home is a moment of its own. */
  readonly roundsPerWorld: number;
  readonly onRound?: (round: number, report: KillReport) => void;
}

interface Sent {
  readonly number: number;
  /** The code it must be denied with; undefined where it must be permitted. */
  readonly expected: string | undefined;
}

/** Proofs stay valid for 30 s; what is a little younger is worth presenting again. */
const PROOF_SECONDS = 27;
const MAX_REPLAYS = 60;
const START_TIMEOUT_MS = 30_000;

/** Kills gateways and looks at what they leave, round after round. */
export async function runKillRounds(options: KillOptions): Promise<KillReport> {
  const { rounds, random, roundsPerWorld, onRound } = options;
  const report: KillReport = {
    rounds: 0,
    results: 0,
    denied: 0,
    unanswered: 0,
    effects: 0,
    permits: 0,
    denials: 0,
    outcomes: 0,
    replays: 0,
    kills: { 'start-up': 0, 'first commits': 0, busy: 0, idle: 0, closing: 0 },
    violations: [],
  };
  let campaign: WorldCampaign | undefined;
  for (let round = 1; round <= rounds; round += 1) {
    campaign ??= new WorldCampaign(await makeKillWorld(), random, report);
    await campaign.playRound(round);
    report.rounds = round;
    if (round % roundsPerWorld === 0 || round === rounds) {
      await campaign.finish(`round ${round}`);
      campaign = undefined;
    }
    onRound?.(round, report);
  }
  return report;
}

/** The rounds of one trust domain. */
class WorldCampaign {
  readonly #world: KillWorld;
  readonly #random: Random;
  readonly #report: KillReport;
  readonly #audit: LogAudit;
  readonly #results = new Map<number, string | undefined>();
  /** Receipt id → denial code, as the client was told. */
  readonly #denials = new Map<string, string>();
  readonly #sent = new Map<number, Sent>();
  #nextNumber = 1;
  /** How long the last start-up took until the first answer. */
  #startMs = 600;

  constructor(world: KillWorld, random: Random, report: KillReport) {
    this.#world = world;
    this.#random = random;
    this.#report = report;
    this.#audit = new LogAudit(world.home, GATEWAY_NAME);
  }

  async playRound(round: number): Promise<void> {
    const phase = this.#random.pick<Phase>('start-up', 'first commits', 'busy', 'busy', 'idle', 'closing');
    const failed = await this.#runAndKill(phase);
    this.#report.kills[phase] += 1;
    await waitForSilence(this.#world);
    if (failed !== undefined) this.#violation(round, phase, failed);
    await this.#check({ unsigned: true });
    // Not always: mostly the next gateway itself meets what the killed one left.
    if (this.#random.chance(0.4)) await this.#presentAgain(round);
    this.#takeViolations(`round ${round} (${phase})`);
  }

  /** A governor that closes in order publishes everything: then nothing at all may be wrong. */
  async finish(where: string): Promise<void> {
    await this.#presentAgain(0);
    await this.#check({ unsigned: false });
    const logs = listExecutionLogs(this.#world.home);
    if (logs.length > 1)
      this.#audit.violations.push(`there are ${logs.length} logs: a dead writer kept its lock`);
    const { code, output } = runLogVerify(this.#world.home);
    if (code !== 0) this.#audit.violations.push(`writ log verify exits with ${code}: ${output}`);
    this.#takeViolations(where);
    const { permits, denials, outcomes } = this.#audit;
    this.#report.permits += permits.size;
    this.#report.denials += denials.size;
    this.#report.outcomes += outcomes;
    this.#report.effects += this.#world.effects().length;
    this.#report.unanswered += [...this.#sent.keys()].filter((number) => !this.#results.has(number)).length;
    // What went wrong can be looked at.
    if (this.#report.violations.length === 0) this.#world.dispose();
  }

  /** @returns what was wrong before the kill, if anything. */
  async #runAndKill(phase: Phase): Promise<string | undefined> {
    const random = this.#random;
    const inFlight = random.between(4, 24);
    const startedMs = performance.now();
    let left = phase === 'first commits' ? random.between(1, 12) : random.between(20, 160);
    /** Answers after which it is killed; a few milliseconds may still pass. */
    let fuse = left;
    if (phase === 'first commits') fuse = random.between(1, Math.min(5, left));
    if (phase === 'busy') fuse = random.between(10, left);
    let failed: string | undefined;
    let killed = false;
    let client: RawClient | undefined;
    const kill = () => {
      killed = true;
      client?.kill();
    };
    const killIn = (milliseconds: number) => {
      if (milliseconds === 0) kill();
      else setTimeout(kill, milliseconds);
    };
    const next = () => {
      if (left === 0 || killed) return;
      left -= 1;
      this.#send(client);
    };
    const begin = () => {
      this.#startMs = performance.now() - startedMs;
      client?.send({ method: 'notifications/initialized' });
      for (let count = 0; count < inFlight; count += 1) next();
      // Sometimes before anything was answered at all.
      if (phase === 'first commits' && random.chance(0.4)) killIn(random.between(0, 40));
    };
    client = new RawClient(this.#world.gatewayArgs, (id, answer) => {
      if (id === 0) {
        if (answer.result === undefined) failed = `initialize was answered with ${JSON.stringify(answer)}`;
        begin();
        return;
      }
      failed ??= this.#hear(id, answer);
      fuse -= 1;
      next();
      if (fuse !== 0) return;
      if (phase === 'idle') killIn(random.between(0, 1300));
      else if (phase === 'closing') {
        client?.closeInput();
        killIn(random.between(0, 60));
      } else killIn(random.chance(0.5) ? 0 : random.between(0, 6));
    });
    client.request(0, 'initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'kill-campaign', version: '1' },
    });
    if (phase === 'start-up') killIn(random.between(0, Math.ceil(this.#startMs)));
    const deadline = setTimeout(() => {
      failed ??= `the gateway did not come to the point of being killed: ${client?.stderr}`;
      kill();
    }, START_TIMEOUT_MS);
    const exit = await client.ended;
    clearTimeout(deadline);
    if (!killed || (exit.signal !== 'SIGKILL' && phase !== 'closing')) {
      failed ??= `the gateway ended by itself (${exit.signal ?? exit.code}): ${client.stderr}`;
    }
    return failed;
  }

  #send(client: RawClient | undefined): void {
    const random = this.#random;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    const kind = random.fraction();
    const name = kind < 0.08 ? 'erase' : 'record';
    const label = kind >= 0.08 && kind < 0.16 ? { label: FORBIDDEN_LABEL } : {};
    const expected = kind < 0.08 ? 'scope.tool_not_granted' : kind < 0.16 ? 'policy.forbidden' : undefined;
    this.#sent.set(number, { number, expected });
    client?.request(number, 'tools/call', {
      name,
      arguments: { number, ...label },
      ...(random.chance(0.5) ? { _meta: { 'writ/receipt': true } } : {}),
    });
  }

  /** Takes note of what the client was told. */
  #hear(number: number, { result, error }: Answer): string | undefined {
    const expected = this.#sent.get(number)?.expected;
    if (result !== undefined) {
      const meta = result._meta;
      const receipt =
        typeof meta === 'object' && meta !== null && 'writ/receipt' in meta
          ? meta['writ/receipt']
          : undefined;
      this.#results.set(number, typeof receipt === 'string' ? receipt : undefined);
      this.#report.results += 1;
      return expected === undefined ? undefined : `call ${number} was permitted and must be denied`;
    }
    const data = error?.data;
    const { code, receipt } =
      typeof data === 'object' && data !== null ? (data as { code?: unknown; receipt?: unknown }) : {};
    if (typeof code !== 'string' || typeof receipt !== 'string') {
      return `call ${number} was answered with ${JSON.stringify(error)}`;
    }
    this.#results.set(number, undefined);
    this.#denials.set(receipt, code);
    this.#report.denied += 1;
    return code === expected ? undefined : `call ${number} was denied with ${code}`;
  }

  /** The five promises, on everything so far. */
  async #check(options: { readonly unsigned: boolean }): Promise<void> {
    const { permits, permitsById, denials, violations } = this.#audit;
    this.#audit.readOn();
    for (const [number, receipt] of this.#results) {
      if (this.#sent.get(number)?.expected !== undefined) continue;
      if (!permits.has(number)) violations.push(`call ${number} was answered and has no permit in the log`);
      if (receipt !== undefined && permitsById.get(receipt)?.number !== number) {
        violations.push(`call ${number} was told a receipt that is not its permit`);
      }
    }
    for (const [receipt, code] of this.#denials) {
      if (denials.get(receipt) !== code) violations.push(`denial ${receipt} (${code}) is not in the log`);
    }
    const seen = new Set<string>();
    for (const effect of this.#world.effects()) {
      if (seen.has(effect)) violations.push(`effect ${effect} happened twice`);
      seen.add(effect);
      const [tool = '', number = ''] = effect.split(' ');
      if (permits.get(Number(number))?.tool !== mcpToolId(GATEWAY_NAME, 'tools', tool)) {
        violations.push(`effect ${effect} happened without a permit`);
      }
    }
    await this.#audit.verify(options);
  }

  /** Opens a governor on what is left and presents proofs that were accepted before: none may be accepted again. */
  async #presentAgain(round: number): Promise<void> {
    const { home, chain } = this.#world;
    const { violations } = this.#audit;
    const opened = await openGovernor({ home, name: GATEWAY_NAME, components: [] });
    if ('code' in opened) {
      violations.push(`the home does not open after the kill: ${opened.code} ${opened.detail}`);
      return;
    }
    try {
      if (opened.log !== GATEWAY_NAME)
        violations.push(`the log of the dead gateway is locked: ${opened.log}`);
      const digests = new Map(
        EFFECT_TOOLS.map((definition) => [
          mcpToolId(GATEWAY_NAME, 'tools', String(definition.name)),
          toolDefinitionDigest(definition),
        ]),
      );
      opened.setTools([...digests].map(([id, digest]) => ({ id, digest })));
      for (const permit of this.#replayable(nowSeconds())) {
        const digest = digests.get(permit.tool);
        const args = argumentsOfProof(permit.pop) ?? {};
        let ran = false;
        const outcome = await opened.governor.run(
          {
            tool: permit.tool,
            args,
            presentation: { aat_chain: chain, aat_pop: permit.pop },
            ...(digest === undefined ? {} : { toolDigest: digest }),
          },
          async () => {
            ran = true;
            return { status: 'succeeded', value: undefined };
          },
        );
        this.#report.replays += 1;
        const code = outcome.verdict === 'deny' ? outcome.denial.code : 'permit';
        // The window may close while this runs.
        const isStale = code === 'identity.proof_stale' && nowSeconds() - permit.iatSeconds >= 30;
        if (ran || (code !== 'replay.detected' && !isStale)) {
          violations.push(`round ${round}: the proof of call ${permit.number} was presented again: ${code}`);
        }
      }
    } finally {
      await opened.close();
    }
    this.#audit.readOn();
  }

  /** The newest proofs, which a crash may have forgotten, and some older ones. */
  #replayable(atSeconds: number): RecordedPermit[] {
    const fresh = [...this.#audit.permits.values()].filter(
      ({ iatSeconds }) => atSeconds - iatSeconds < PROOF_SECONDS,
    );
    const newest = fresh.slice(-MAX_REPLAYS / 2);
    const older = fresh.slice(0, -MAX_REPLAYS / 2).filter(() => this.#random.chance(0.1));
    return [...newest, ...older.slice(-MAX_REPLAYS / 2)];
  }

  #violation(round: number, phase: Phase, detail: string): void {
    this.#report.violations.push(`round ${round} (${phase}): ${detail}`);
  }

  #takeViolations(where: string): void {
    for (const violation of this.#audit.violations.splice(0)) {
      this.#report.violations.push(`${where}: ${violation} [${this.#world.home.folder}]`);
    }
  }
}
