import { digestOf } from '../../src/codec/index.ts';
import type { ReasonCode, Stage } from '../../src/denial/index.ts';
import type { RevocationHandle } from '../../src/governance/index.ts';
import { ISSUER, keys, PLANNER, policies, TOOL, WORKER } from './draft.ts';
import { BOUND_SECONDS, type Kind, MAX_AGE_SECONDS, NODE, type StandingWorld } from './standing-world.ts';

/** One thing that becomes wrong after an execution has begun. */
export interface LaterFault {
  readonly name: string;
  /** What it changes: of two faults that change the same, only the last would be one. */
  readonly touches: string;
  readonly stage: Stage;
  /** With what it ends whom it concerns; the others run on. */
  readonly ends: Readonly<Partial<Record<Kind, ReasonCode>>>;
  readonly apply: (world: StandingWorld) => void;
}

const both = (code: ReasonCode): LaterFault['ends'] => ({ bound: code, plain: code });
const bound = (code: ReasonCode): LaterFault['ends'] => ({ bound: code });

function revoked(
  name: string,
  handle: RevocationHandle,
  value: (world: StandingWorld) => string,
  { touches = name, ends = bound }: { touches?: string; ends?: typeof bound } = {},
): LaterFault {
  return {
    ...{ name, touches, stage: 'revocation', ends: ends('revocation.revoked') },
    apply: (world) => world.say({ event: 'revoked', handle, value: value(world) }),
  };
}

const at = (world: StandingWorld, seconds: number): void => {
  world.nowMs = Math.max(world.nowMs, new Date('2026-01-07T12:00:00Z').getTime() + seconds * 1000);
};

export const LATER_FAULTS: readonly LaterFault[] = [
  {
    name: 'the artifact ends',
    touches: 'clock',
    stage: 'artifact',
    ends: bound('artifact.expired'),
    apply: (world) => at(world, BOUND_SECONDS),
  },
  {
    name: 'the clock is set back before the artifact was issued',
    touches: 'clock',
    stage: 'artifact',
    ends: both('artifact.not_yet_valid'),
    apply: (world) => {
      world.nowMs -= 86_400_000;
    },
  },
  {
    name: 'the issuer key is retired',
    touches: 'anchors',
    stage: 'artifact',
    ends: both('artifact.untrusted_issuer'),
    apply: (world) =>
      world.say({ event: 'anchor.retired', iss: ISSUER, thumbprint: keys.issuer.publicKey.thumbprint }),
  },
  {
    name: 'the initiator is retired',
    touches: 'initiator',
    stage: 'identity',
    ends: bound('identity.mismatch'),
    apply: (world) => world.say({ event: 'agent.retired', subject: PLANNER }),
  },
  {
    name: 'the use window closes',
    touches: 'clock',
    stage: 'scope',
    ends: bound('scope.outside_window'),
    apply: (world) => at(world, 20 * 60),
  },
  {
    name: 'nothing is measured any more',
    touches: 'measurement',
    stage: 'environment',
    ends: bound('environment.unmeasured'),
    apply: (world) => {
      world.measurement = undefined;
    },
  },
  {
    name: 'a component is another',
    touches: 'measurement',
    stage: 'environment',
    ends: bound('environment.mismatch'),
    apply: (world) => world.measure({ components: [{ ...NODE, digest: digestOf('another') }] }),
  },
  {
    name: 'the measurement is worth less',
    touches: 'measurement',
    stage: 'environment',
    ends: bound('environment.assurance_too_low'),
    apply: (world) => world.measure({ assurance: 'self' }),
  },
  {
    name: 'the tool is another',
    touches: 'measurement',
    stage: 'environment',
    ends: bound('environment.tool_changed'),
    apply: (world) =>
      world.measure({ components: [NODE, { kind: 'tool', name: TOOL, digest: digestOf('another') }] }),
  },
  {
    name: 'the measurement grows old',
    touches: 'measurement',
    stage: 'environment',
    ends: bound('environment.stale'),
    apply: (world) => {
      world.measure();
      const { measurement } = world;
      if (measurement === undefined) return;
      const measuredAtSeconds = measurement.measuredAtSeconds - MAX_AGE_SECONDS - 1;
      world.measurement = Object.freeze({ ...measurement, measuredAtSeconds });
    },
  },
  revoked('the root token is revoked', 'token', (world) => world.rootId('bound')),
  revoked('a key in the middle is revoked', 'holder', () => keys.planner.publicKey.thumbprint),
  revoked('the key at the leaf is revoked', 'holder', () => keys.worker.publicKey.thumbprint),
  revoked('the agent at the leaf is revoked', 'subject', () => WORKER),
  revoked('the initiator is revoked', 'subject', () => PLANNER),
  revoked('the issuer is revoked', 'issuer', () => ISSUER, { ends: both }),
  revoked('the policy is revoked', 'policy', (world) => world.atHand?.bundle.digest ?? '', {
    touches: 'policy',
    ends: both,
  }),
  revoked('the environment is revoked', 'environment', (world) => world.measurement?.digest ?? '', {
    touches: 'measurement',
    ends: both,
  }),
  {
    name: 'nothing is heard of governance any more',
    touches: 'clock',
    stage: 'revocation',
    ends: both('revocation.stale'),
    apply: (world) => {
      world.silent = true;
      world.nowMs += 11_000;
    },
  },
  {
    name: 'a policy that forbids is published',
    touches: 'policy',
    stage: 'policy',
    ends: { bound: 'policy.version_mismatch', plain: 'policy.forbidden' },
    apply: (world) => world.publish(policies.forbid),
  },
  {
    name: 'a policy that says nothing is published',
    touches: 'policy',
    stage: 'policy',
    ends: { bound: 'policy.version_mismatch', plain: 'policy.not_permitted' },
    apply: (world) => world.publish(policies.silent),
  },
  {
    name: 'a policy that errs is published',
    touches: 'policy',
    stage: 'policy',
    ends: { bound: 'policy.version_mismatch', plain: 'policy.evaluation_failed' },
    apply: (world) => world.publish(policies.overflow),
  },
  {
    name: 'another policy than the pinned one is published',
    touches: 'policy',
    stage: 'policy',
    ends: bound('policy.version_mismatch'),
    apply: (world) => world.publish(policies.other),
  },
  {
    name: 'the policy is gone',
    touches: 'policy',
    stage: 'policy',
    ends: both('policy.unavailable'),
    apply: (world) => {
      world.atHand = undefined;
    },
  },
];
