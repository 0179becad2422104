import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProof, newUuidV7 } from '../../src/artifact/index.ts';
import { digestOf } from '../../src/codec/index.ts';
import type { Action } from '../../src/decision/index.ts';
import { deny } from '../../src/denial/index.ts';
import {
  appendGovernance,
  createDomain,
  enrollAgent,
  type Home,
  type OpenedGovernor,
  openGovernor,
  publishPolicy,
  revoke,
} from '../../src/governor/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import { must } from '../support/trust-domain.ts';
import { type Agent, DELETE, FLAVOURS, type Held, Issuer, READ, WRITE } from './decision-artifacts.ts';
import { policyBundle, toolDigests } from './decision-policies.ts';
import type { Random } from './random.ts';
import { START_MS, SteppedClock } from './stepped-clock.ts';

const AGENTS = ['planner', 'worker', 'courier', 'auditor', 'intern'] as const;
const KEPT_EXECUTIONS = 64;
const KEPT_ACTIONS = 512;

export interface WorldOptions {
  readonly random: Random;
  /** Time that passes per decision, on average. */
  readonly stepMs: number;
  /** Decisions between two events of governance, on average. */
  readonly governanceEvery: number;
}

/**
 * A trust domain in which several agents ask for all sorts of things, seeded, through the real governor: artifacts of every
 * flavour, delegations, parents, counters, proofs used twice, and governance that moves in between.
 */
export class DecisionWorld {
  readonly home: Home;
  /** Decisions by code, `permit` included. */
  readonly codes = new Map<string, number>();
  readonly #folder: string;
  readonly #options: WorldOptions;
  readonly #clock = new SteppedClock();
  readonly #issuer: Issuer;
  readonly #agents: Agent[];
  readonly #held = new Map<string, Held[]>();
  readonly #executions: { readonly id: string; readonly held: Held }[] = [];
  readonly #denied: string[] = [];
  readonly #actions: Action[] = [];
  #governors: readonly OpenedGovernor[] = [];
  #policyNumber = 0;

  private constructor(folder: string, home: Home, agents: Agent[], options: WorldOptions) {
    this.#folder = folder;
    this.home = home;
    this.#agents = agents;
    this.#options = options;
    this.#issuer = new Issuer(home, options.random);
  }

  static async create(options: WorldOptions): Promise<DecisionWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'writ-decisions-'));
    const by = { actor: 'campaign', atSeconds: START_MS / 1000 };
    const home = must(await createDomain(join(folder, '.writ'), { name: 'campaign.test', ...by }));
    const agents: Agent[] = AGENTS.map((name) => ({ name, key: SigningKey.generate() }));
    const world = new DecisionWorld(folder, home, agents, options);
    for (const agent of agents) await world.#enroll(agent);
    await world.#publish();
    const open = async (): Promise<OpenedGovernor> => {
      const components = [{ kind: 'upstream', name: 'upstream', digest: digestOf('server') }];
      const opened = must(
        await openGovernor({ home, name: 'fs', components, clock: world.#clock, maxLineageDepth: 4 }),
      );
      opened.setTools(toolDigests());
      return opened;
    };
    // The second one finds the log taken: it is fs~2, with a log of its own, and keeps no counters.
    world.#governors = [await open(), await open()];
    return world;
  }

  /** Closes the logs; what stands on disk stays. */
  async close(): Promise<void> {
    for (const opened of this.#governors) await opened.close();
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Makes `count` decisions, up to `concurrency` of them at a time, and moves governance in between. */
  async decide(
    count: number,
    concurrency = 64,
    onProgress: (done: number) => void = () => {},
  ): Promise<void> {
    const { random, governanceEvery } = this.#options;
    for (let done = 0; done < count; ) {
      const size = Math.min(count - done, random.between(1, concurrency));
      await this.#decideAtOnce(size);
      done += size;
      onProgress(done);
      if (random.chance(size / governanceEvery)) await this.#moveGovernance();
      if (random.chance(size / (governanceEvery * 4))) await this.#goBlind();
    }
  }

  async #decideAtOnce(count: number): Promise<void> {
    const actions = Array.from({ length: count }, () => this.#nextAction());
    await Promise.all(actions.map((action) => this.#run(action)));
  }

  async #run(action: Action): Promise<void> {
    const { random } = this.#options;
    const [first, second] = this.#governors;
    const governor = (random.chance(0.02) ? second : first)?.governor;
    if (governor === undefined) throw new TypeError('the world is closed');
    const status = random.pick('succeeded', 'succeeded', 'succeeded', 'failed', 'unknown');
    const throws = random.chance(0.01);
    const outcome = await governor
      .run(action, async () => {
        if (throws) throw new Error('the effect failed');
        return { status, value: 0, evidence: Buffer.from('result') };
      })
      .catch(() => undefined);
    const code =
      outcome === undefined ? 'permit' : outcome.verdict === 'permit' ? 'permit' : outcome.denial.code;
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    if (outcome === undefined) return;
    if (outcome.verdict === 'deny') keep(this.#denied, outcome.executionId, KEPT_EXECUTIONS);
    else {
      const { presentation } = action;
      const chain = presentation !== undefined && 'aat_chain' in presentation ? presentation.aat_chain : [];
      const held = [...this.#held.values()].flat().find((candidate) => candidate.chain === chain);
      if (held !== undefined) keep(this.#executions, { id: outcome.executionId, held }, KEPT_EXECUTIONS);
    }
  }

  #nextAction(): Action {
    const { random, stepMs } = this.#options;
    this.#clock.advance(random.fraction() * 2 * stepMs);
    const again = this.#actions.at(random.between(0, KEPT_ACTIONS - 1) - KEPT_ACTIONS);
    if (again !== undefined && random.chance(0.03)) return again;
    const action = this.#newAction();
    keep(this.#actions, action, KEPT_ACTIONS);
    return action;
  }

  #newAction(): Action {
    const { random } = this.#options;
    const nowSeconds = Math.floor(this.#clock.wallMs() / 1000);
    const tool = random.pick(READ, READ, WRITE, WRITE, DELETE);
    const args = this.#issuer.arguments(tool);
    const pinned = toolDigests().find(({ id }) => id === tool)?.digest;
    const toolDigest = random.chance(0.01) ? digestOf('rug pull') : random.chance(0.01) ? undefined : pinned;
    const known = { tool, args, ...(toolDigest === undefined ? {} : { toolDigest }) };
    if (random.chance(0.01)) return { ...known, presentation: undefined };
    if (random.chance(0.01)) {
      const code = random.pick('request.malformed', 'artifact.malformed', 'identity.proof_missing');
      return { ...known, presentation: deny(code, 'could not be read') };
    }
    const parent = this.#parent();
    const held = parent?.held ?? this.#artifact(nowSeconds);
    const late = random.chance(0.01) ? random.pick(-3600, 3600) : 0;
    const proof = createProof({
      ...{ leaf: held.chain, signer: held.signer, tool, args, iatSeconds: nowSeconds + late },
      audience: this.home.audience(random.chance(0.97) ? 'fs' : 'fs~2'),
      ...(parent === undefined ? {} : { parent: parent.id }),
    });
    const presentation = { aat_chain: held.chain, aat_pop: random.chance(0.01) ? '' : proof };
    const action = { ...known, presentation };
    if (random.chance(0.01)) return { ...action, args: { ...args, path: '/another' } };
    if (random.chance(0.01))
      return { ...action, refusal: deny('environment.tool_changed', 'listed otherwise') };
    return action;
  }

  #parent(): { readonly id: string; readonly held: Held } | undefined {
    const { random } = this.#options;
    const [first] = this.#executions;
    if (first === undefined || !random.chance(0.3)) return undefined;
    const { id, held } = this.#executions[random.between(0, this.#executions.length - 1)] ?? first;
    if (random.chance(0.05)) return { id: newUuidV7(this.#clock.wallMs()), held };
    if (random.chance(0.05))
      return { id: this.#denied[random.between(0, this.#denied.length - 1)] ?? id, held };
    if (random.chance(0.05)) return { id, held: this.#artifact(Math.floor(this.#clock.wallMs() / 1000)) };
    return { id, held };
  }

  /** One that was issued before, or a new one. */
  #artifact(nowSeconds: number): Held {
    const { random } = this.#options;
    const flavour =
      FLAVOURS[random.chance(0.6) ? random.between(0, 4) : random.between(0, FLAVOURS.length - 1)];
    const held = this.#held.get(flavour ?? 'plain') ?? [];
    const some = held[random.between(0, Math.max(0, held.length - 1))];
    if (some !== undefined && !random.chance(0.02)) return some;
    const [agent, other] = [this.#agent(), this.#agent()];
    const issued = this.#issuer.issue(flavour ?? 'plain', agent, other, nowSeconds);
    keep(held, issued, 8);
    this.#held.set(flavour ?? 'plain', held);
    return issued;
  }

  #agent(): Agent {
    const [first] = this.#agents;
    const agent = this.#agents[this.#options.random.between(0, this.#agents.length - 1)] ?? first;
    if (agent === undefined) throw new TypeError('there are agents');
    return agent;
  }

  async #moveGovernance(): Promise<void> {
    const { random } = this.#options;
    const atSeconds = Math.floor(this.#clock.wallMs() / 1000);
    const by = { actor: 'campaign', atSeconds };
    const agent = this.#agent();
    const subject = this.home.agent(agent.name);
    switch (random.pick('policy', 'policy', 'token', 'holder', 'retire', 'missing', 'revoked')) {
      case 'policy':
        return this.#publish();
      case 'token': {
        const execution = this.#executions.at(-1);
        const payload = execution?.held.chain.at(-1)?.split('.')[1] ?? '';
        const claims: unknown =
          payload === '' ? {} : JSON.parse(Buffer.from(payload, 'base64url').toString());
        const jti =
          typeof claims === 'object' && claims !== null && 'jti' in claims ? String(claims.jti) : '';
        if (jti !== '') await revoke(this.home, { handle: 'token', value: jti, reason: 'campaign' }, by);
        return;
      }
      case 'holder':
        await revoke(this.home, { handle: 'holder', value: agent.key.publicKey.thumbprint }, by);
        agent.key = SigningKey.generate();
        return this.#enroll(agent);
      case 'retire':
        await appendGovernance(this.home, [
          { event: 'agent.retired', at: atSeconds, actor: 'campaign', subject },
        ]);
        await this.#decideAtOnce(20);
        return this.#enroll(agent);
      case 'missing':
        await appendGovernance(this.home, [
          {
            event: 'policy.published',
            at: atSeconds,
            actor: 'campaign',
            id: 'campaign',
            digest: digestOf('lost'),
          },
        ]);
        await this.#decideAtOnce(20);
        return this.#publish();
      default:
        await revoke(this.home, { handle: 'policy', value: policyBundle(this.#policyNumber).digest }, by);
        await this.#decideAtOnce(20);
        return this.#publish();
    }
  }

  /** Governance cannot be read for a while, and what is known of it ages. */
  async #goBlind(): Promise<void> {
    const database = join(this.home.governanceFolder, 'log.sqlite');
    renameSync(database, `${database}.away`);
    try {
      await this.#decideAtOnce(3);
      this.#clock.advance(11_000);
      await this.#decideAtOnce(5);
    } finally {
      renameSync(`${database}.away`, database);
    }
  }

  async #enroll({ name, key }: Agent): Promise<void> {
    const atSeconds = Math.floor(this.#clock.wallMs() / 1000);
    const subject = this.home.agent(name);
    must(await enrollAgent(this.home, { subject, key: key.publicKey, actor: 'campaign', atSeconds }));
  }

  async #publish(): Promise<void> {
    this.#policyNumber += 1;
    const atSeconds = Math.floor(this.#clock.wallMs() / 1000);
    must(await publishPolicy(this.home, policyBundle(this.#policyNumber), { actor: 'campaign', atSeconds }));
  }
}

function keep<T>(items: T[], item: T, atMost: number): void {
  if (items.length >= atMost) items.shift();
  items.push(item);
}
