import { createSecretKey } from 'node:crypto';
import { createProof, deriveToken, mintRoot, type WritClaim } from '../../src/artifact/index.ts';
import { digestOf } from '../../src/codec/index.ts';
import type { Action } from '../../src/decision/index.ts';
import { type Denial, isDenial } from '../../src/denial/index.ts';
import {
  type Component,
  type Measurement,
  measurementOf,
  type Supervision,
} from '../../src/environment/index.ts';
import {
  foldGovernance,
  GOVERNANCE_EVENT,
  type GovernanceEvent,
  GovernanceState,
  serializeGovernanceEvent,
} from '../../src/governance/index.ts';
import { Governor, type OpenExecution } from '../../src/governor/index.ts';
import { supervisedMeasurement } from '../../src/governor/supervision/supervised-measurement.ts';
import type { SigningKey } from '../../src/key/index.ts';
import type { PreparedPolicy } from '../../src/policy/index.ts';
import { type OutcomeReceipt, parseOutcomeReceipt } from '../../src/receipt/index.ts';
import { openMemoryLog } from '../../src/storage/index.ts';
import {
  AUDIENCE,
  DEFINITION_DIGEST,
  DOMAIN,
  ISSUER,
  keys,
  NOW,
  OTHER_TOOL,
  PLANNER,
  policies,
  TOOL,
  WORKER,
} from './draft.ts';

export type EventOf<E> = E extends GovernanceEvent ? Omit<E, 'type' | 'at' | 'actor'> : never;

/** `bound` stands on everything there is to stand on; `plain` on as little as possible. */
export type Kind = 'bound' | 'plain';

const ORIGIN = `${DOMAIN}/execution/model`;
export const NODE: Component = { kind: 'node', name: 'node', digest: digestOf('node') };
export const BOUND_SECONDS = 3600;
export const MAX_AGE_SECONDS = 1800;

/** A governor over a world that is changed by hand: its clock, what governance says, what is measured. */
export class StandingWorld {
  nowMs = NOW * 1000;
  /** Knowledge of governance is no longer renewed. */
  silent = false;
  atHand: PreparedPolicy | undefined = policies.permit;
  measurement: Measurement | undefined;
  readonly governor: Governor;
  readonly #log = openMemoryLog({ origin: ORIGIN, signer: keys.stranger });
  readonly #seen = supervisedMeasurement({ look: () => this.#look() });
  #isSupervised = false;
  #looked: Supervision | undefined;
  readonly #chains: Readonly<Record<Kind, readonly string[]>>;
  #state = GovernanceState.empty;
  #checkedAtMs = 0;

  constructor() {
    this.measure();
    this.say({ event: 'domain.created', name: DOMAIN });
    this.say({ event: 'anchor.added', iss: ISSUER, jwk: keys.issuer.publicKey.jwk });
    this.say({ event: 'agent.enrolled', subject: PLANNER, jwk: keys.planner.publicKey.jwk });
    this.say({ event: 'agent.enrolled', subject: WORKER, jwk: keys.worker.publicKey.jwk });
    this.publish(policies.permit);
    const environment = {
      components: [NODE],
      assurance: 'supervisor',
      maxAgeSeconds: MAX_AGE_SECONDS,
    } as const;
    const windows = [{ days: ['wed'], from: '08:00', to: '12:20', tz: 'UTC' }] as const;
    this.#chains = {
      bound: mintChain(keys.planner, BOUND_SECONDS, {
        initiator: { id: PLANNER, kind: 'agent' },
        environment,
        use: { windows },
        governance: { policy: { id: policies.permit.bundle.id } },
      }),
      plain: mintChain(keys.stranger, 86_400 * 7, {}),
    };
    this.governor = new Governor({
      log: this.#log,
      origin: ORIGIN,
      evidenceKey: createSecretKey(Buffer.alloc(32, 7)),
      clock: { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      governance: { refresh: () => this.#view() },
      surroundings: () => ({
        audiences: [AUDIENCE],
        keepsCounters: true,
        maxStalenessSeconds: 10,
        measurement: this.measurement && this.#seen(this.measurement),
        findParent: () => undefined,
        maxLineageDepth: 8,
        approvals: [],
      }),
    });
  }

  say(event: EventOf<GovernanceEvent>): void {
    const entry = { type: GOVERNANCE_EVENT, at: NOW, actor: 'operator', ...event } as GovernanceEvent;
    const state: GovernanceState | Denial = foldGovernance([serializeGovernanceEvent(entry)], this.#state);
    if (isDenial(state)) throw new TypeError(state.detail);
    this.#state = state;
  }

  publish(policy: PreparedPolicy): void {
    this.say({ event: 'policy.published', id: policy.bundle.id, digest: policy.bundle.digest });
    this.atHand = policy;
  }

  measure(change: { readonly components?: readonly Component[]; readonly assurance?: 'self' } = {}): void {
    const { components = [NODE], assurance = 'supervisor' } = change;
    const nowSeconds = Math.floor(this.nowMs / 1000);
    this.measurement = measurementOf(components, 'self', nowSeconds);
    this.#isSupervised = assurance === 'supervisor';
  }

  #look(): Supervision | undefined {
    if (!this.#isSupervised) return undefined;
    const at = Math.floor(this.nowMs / 1000);
    if (this.#looked?.at !== at) {
      const image = NODE.digest;
      const components = [
        { kind: 'process', name: 'executable', digest: image, collector: 'supervisor', at },
      ];
      const unchanged = { tracerPid: 0, foreignNamespaces: [], changed: [] };
      const numbers = { pid: 1, startTicks: 1, uid: 1, gid: 1 };
      this.#looked = { program: 'model', image, at, components, ...numbers, ...unchanged };
    }
    return this.#looked;
  }

  /** Calls of the two kinds differ in tool and arguments, too. */
  async begin(kind: Kind, at = 0): Promise<OpenExecution> {
    const outcome = await this.governor.begin(this.#call(kind, at));
    if (outcome.verdict === 'deny') throw new Error(`${outcome.denial.code}: ${outcome.denial.detail}`);
    return outcome;
  }

  outcomes(): OutcomeReceipt[] {
    return this.#log.read(0, this.#log.head().size).flatMap((entry) => {
      const outcome = parseOutcomeReceipt(entry);
      return isDenial(outcome) ? [] : [outcome];
    });
  }

  rootId(kind: Kind): string {
    const [, payload = ''] = this.#chains[kind][0]?.split('.') ?? [];
    return String(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')).jti);
  }

  #view() {
    if (!this.silent) this.#checkedAtMs = this.nowMs;
    const { epoch } = this.#state;
    return {
      state: this.#state,
      size: epoch,
      rootHash: String(epoch),
      checkedAtMs: this.#checkedAtMs,
      policy: this.atHand,
    };
  }

  #call(kind: Kind, at: number): Action {
    const tool = kind === 'bound' ? TOOL : OTHER_TOOL;
    const args = { path: '/data/a.txt', count: at };
    const chain = this.#chains[kind];
    const signer = kind === 'bound' ? keys.worker : keys.stranger;
    const aat_pop = createProof({
      ...{ leaf: chain, signer, tool, args, audience: AUDIENCE },
      iatSeconds: Math.floor(this.nowMs / 1000),
    });
    return { tool, args, presentation: { aat_chain: chain, aat_pop }, toolDigest: DEFINITION_DIGEST };
  }
}

/** `bound` is delegated from the planner to the worker; `plain` is a stranger's, by an issuer key of its own. */
function mintChain(holder: SigningKey, seconds: number, writ: WritClaim): readonly string[] {
  const grant = { iatSeconds: NOW - 60, expSeconds: NOW + seconds };
  const root = mintRoot({
    ...{ issuer: { iss: ISSUER, signer: keys.issuer }, holder: holder.publicKey, writ, ...grant },
    ...{ tools: { [TOOL]: {}, [OTHER_TOOL]: {} }, maxDepth: 2, audiences: [AUDIENCE] },
  });
  if (isDenial(root)) throw new TypeError(root.detail);
  if (holder === keys.stranger) return [root];
  const leaf = deriveToken({
    ...{ parent: root, signer: holder, holder: keys.worker.publicKey, ...grant },
    tools: { [TOOL]: {} },
  });
  if (isDenial(leaf)) throw new TypeError(leaf.detail);
  return [root, leaf];
}
