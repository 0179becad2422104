import { mintRoot } from '../../src/artifact/index.ts';
import { digestOf } from '../../src/codec/index.ts';
import { deny, isDenial, type ReasonCode, type Stage } from '../../src/denial/index.ts';
import type { ParentFact } from '../../src/lineage/index.ts';
import {
  AUDIENCE,
  type Draft,
  ISSUER,
  keys,
  NOW,
  OTHER_TOOL,
  PARENT,
  PLANNER,
  policies,
  SHARED_AUDIENCE,
  TOOL,
  WORKER,
} from './draft.ts';

/** One thing wrong with a call, and the code it must be denied with when nothing is wrong before its stage. */
export interface Fault {
  readonly name: string;
  readonly code: ReasonCode;
  readonly apply: (draft: Draft) => void;
}

const fault = (name: string, code: ReasonCode, apply: (draft: Draft) => void): Fault => ({
  name,
  code,
  apply,
});

const flipLast = (text: string) => `${text.slice(0, -2)}${text.endsWith('AA') ? 'BA' : 'AA'}`;

/** A chain as a sound parent ran under it, changed by the fault. */
function withParent(change: (sound: ParentFact) => ParentFact | undefined): (draft: Draft) => void {
  return (draft) => {
    draft.parent = PARENT;
    draft.parentFact = (leafHash, rootHash) =>
      change({
        executionId: PARENT,
        verdict: 'permit',
        tokenHashes: [rootHash],
        leafTokenHash: leafHash === '' ? '' : rootHash,
        depth: 0,
        rootExecutionId: PARENT,
        terminated: false,
        tool: TOOL,
      });
  };
}

/** Joins two restrictions of the leaf without losing either: faults are combined. */
function bindEnvironment(draft: Draft, environment: NonNullable<Draft['leafWrit']['environment']>): void {
  draft.leafWrit = { ...draft.leafWrit, environment: { ...draft.leafWrit.environment, ...environment } };
}

function govern(draft: Draft, governance: NonNullable<Draft['leafWrit']['governance']>): void {
  draft.leafWrit = { ...draft.leafWrit, governance: { ...draft.leafWrit.governance, ...governance } };
}

function governRoot(draft: Draft, governance: NonNullable<Draft['rootWrit']['governance']>): void {
  draft.rootWrit = { ...draft.rootWrit, governance: { ...draft.rootWrit.governance, ...governance } };
}

function approvalBy(
  approver: string,
  decision: 'approve' | 'reject',
  expSeconds: number,
  prepare: (draft: Draft) => void = () => {},
): (draft: Draft) => void {
  return (draft) => {
    prepare(draft);
    govern(draft, { approvals: [{ role: 'operator', threshold: 1 }] });
    const terms = { decision, nbfSeconds: NOW - 100, expSeconds };
    draft.approvals = () => [
      { nonce: approver, approver, role: 'operator', keyThumbprint: `key of ${approver}`, ...terms },
    ];
  };
}

export const FAULTS: Readonly<Record<Stage, readonly Fault[]>> = {
  request: [
    fault('no tool', 'request.malformed', (draft) => {
      draft.tool = '';
    }),
    fault('tool with a lone surrogate', 'request.malformed', (draft) => {
      draft.tool = '\ud800';
      draft.proof.tool = TOOL;
    }),
    fault('endless tool', 'request.too_large', (draft) => {
      draft.tool = 'x'.repeat(1025);
    }),
    fault('presentation that is no request', 'request.too_large', (draft) => {
      draft.presentation = deny('request.too_large', 'the presentation is too large');
    }),
    fault('huge arguments', 'request.too_large', (draft) => {
      draft.args = { path: 'x'.repeat(1_600_000) };
      draft.proof.args = { path: '/data/a.txt' };
    }),
  ],
  artifact: [
    fault('nothing presented', 'artifact.missing', (draft) => {
      draft.presentation = undefined;
    }),
    fault('empty chain', 'artifact.missing', (draft) => {
      draft.tamper = () => [];
    }),
    fault('unreadable presentation', 'artifact.malformed', (draft) => {
      draft.presentation = deny('artifact.malformed', 'not an object');
    }),
    fault('garbage token', 'artifact.malformed', (draft) => {
      draft.tamper = ([root = '']) => [root, 'garbage'];
    }),
    fault('issuer that is no anchor', 'artifact.untrusted_issuer', (draft) => {
      draft.issuer = { iss: 'spiffe://elsewhere/issuer', signer: keys.stranger };
    }),
    fault('issuer name of the anchor under another key', 'artifact.signature_invalid', (draft) => {
      draft.issuer = { iss: ISSUER, signer: keys.stranger };
    }),
    fault('root signature altered', 'artifact.signature_invalid', (draft) => {
      draft.tamper = ([root = '', leaf = '']) => [flipLast(root), leaf];
    }),
    fault('leaf signature altered', 'artifact.signature_invalid', (draft) => {
      draft.tamper = ([root = '', leaf = '']) => [root, flipLast(leaf)];
    }),
    fault('expired', 'artifact.expired', (draft) => {
      draft.iatSeconds = NOW - 7200;
      draft.expSeconds = NOW - 1;
    }),
    fault('not yet valid', 'artifact.not_yet_valid', (draft) => {
      draft.nbfSeconds = NOW + 600;
    }),
    fault('issued in the future', 'artifact.not_yet_valid', (draft) => {
      draft.iatSeconds = NOW + 600;
    }),
    fault('for another enforcement point', 'artifact.audience_mismatch', (draft) => {
      draft.audience = 'spiffe://model.test/gateway/other';
    }),
    fault('for no enforcement point in particular', 'artifact.audience_mismatch', (draft) => {
      draft.named = false;
    }),
    fault('leaf under another parent of the same holder', 'artifact.attenuation_invalid', (draft) => {
      draft.tamper = ([, leaf = '']) => [otherRoot(draft), leaf];
    }),
  ],
  identity: [
    fault('no proof', 'identity.proof_missing', (draft) => {
      draft.proof.absent = true;
    }),
    fault('signed by a thief', 'identity.proof_invalid', (draft) => {
      draft.proof.signer = keys.stranger;
    }),
    fault('proof of the parent holder', 'identity.proof_invalid', (draft) => {
      draft.proof.signer = keys.planner;
    }),
    fault('proof for other arguments', 'identity.proof_invalid', (draft) => {
      draft.proof.args = { path: '/data/other.txt' };
    }),
    fault('proof for another tool', 'identity.proof_invalid', (draft) => {
      draft.proof.tool = 'mcp://fs/tools/another';
    }),
    fault('proof for another enforcement point', 'identity.proof_invalid', (draft) => {
      draft.proof.audience = 'spiffe://model.test/gateway/other';
    }),
    fault('proof for the twins of this enforcement point', 'identity.proof_invalid', (draft) => {
      draft.addressed = [SHARED_AUDIENCE, ...draft.addressed];
      draft.proof.audience = SHARED_AUDIENCE;
    }),
    fault('proof for no enforcement point', 'identity.proof_invalid', (draft) => {
      draft.proof.audience = undefined;
    }),
    fault('old proof', 'identity.proof_stale', (draft) => {
      draft.proof.iatSeconds = NOW - 31;
    }),
    fault('proof from the future', 'identity.proof_stale', (draft) => {
      draft.proof.iatSeconds = NOW + 31;
    }),
    fault('initiator enrolled with another key', 'identity.mismatch', (draft) => {
      draft.enrolled = [{ subject: PLANNER, key: keys.stranger }];
    }),
    fault('initiator not enrolled', 'identity.mismatch', (draft) => {
      draft.rootWrit = {
        ...draft.rootWrit,
        initiator: { id: 'spiffe://model.test/agent/ghost', kind: 'agent' },
      };
    }),
  ],
  scope: [
    fault('tool not granted', 'scope.tool_not_granted', (draft) => {
      draft.grantedTool = OTHER_TOOL;
    }),
    fault('path not granted', 'scope.arguments_not_granted', (draft) => {
      draft.grantedPath = '/data/b.txt';
    }),
    fault('argument nobody granted', 'scope.arguments_not_granted', (draft) => {
      draft.args = { ...draft.args, extra: true };
    }),
    fault('number out of range', 'scope.arguments_not_granted', (draft) => {
      draft.args = { ...draft.args, count: 11 };
    }),
    fault('budget of the root on what is no number', 'scope.arguments_not_granted', (draft) => {
      const budgets = [{ argument: 'path', total: 5 }];
      draft.rootWrit = { ...draft.rootWrit, use: { ...draft.rootWrit.use, budgets } };
    }),
    fault('outside the window of the leaf', 'scope.outside_window', (draft) => {
      const windows = [{ days: ['sat', 'sun'], from: '00:00', to: '23:59', tz: 'UTC' }] as const;
      draft.leafWrit = { ...draft.leafWrit, use: { windows } };
    }),
    fault('outside the window of the root', 'scope.outside_window', (draft) => {
      const windows = [{ days: ['wed'], from: '13:00', to: '14:00', tz: 'UTC' }] as const;
      draft.rootWrit = { ...draft.rootWrit, use: { ...draft.rootWrit.use, windows } };
    }),
  ],
  environment: [
    fault('nothing measured', 'environment.unmeasured', (draft) => {
      bindEnvironment(draft, { assurance: 'self' });
      draft.measured = false;
    }),
    fault('another digest', 'environment.mismatch', (draft) => {
      bindEnvironment(draft, { digests: [digestOf('elsewhere')] });
    }),
    fault('another digest, by the root', 'environment.mismatch', (draft) => {
      draft.rootWrit = { ...draft.rootWrit, environment: { digests: [digestOf('elsewhere')] } };
    }),
    fault('a component is another', 'environment.mismatch', (draft) => {
      bindEnvironment(draft, { components: [{ kind: 'node', name: 'node', digest: digestOf('changed') }] });
    }),
    fault('measured too long ago', 'environment.stale', (draft) => {
      bindEnvironment(draft, { maxAgeSeconds: 1 });
    }),
    fault('assurance too low', 'environment.assurance_too_low', (draft) => {
      bindEnvironment(draft, { assurance: 'tpm' });
    }),
    fault('definition that the enforcement point cannot get', 'environment.unmeasured', (draft) => {
      draft.refusal = deny('environment.unmeasured', 'the tool has no definition');
    }),
    fault('tool definition changed', 'environment.tool_changed', (draft) => {
      draft.toolDigest = digestOf('another definition');
    }),
  ],
  revocation: [
    fault('root token revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'token', value: ({ rootId }) => rootId });
    }),
    fault('leaf token revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'token', value: ({ leafId }) => leafId });
    }),
    fault('holder in the middle revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'holder', value: () => keys.planner.publicKey.thumbprint });
    }),
    fault('initiator revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'subject', value: () => PLANNER });
    }),
    fault('agent at the leaf revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'subject', value: () => WORKER });
    }),
    fault('issuer revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'issuer', value: () => ISSUER });
    }),
    fault('policy revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'policy', value: ({ policyDigest }) => policyDigest });
    }),
    fault('environment revoked', 'revocation.revoked', (draft) => {
      draft.revoke.push({ handle: 'environment', value: ({ environmentDigest }) => environmentDigest });
    }),
    fault('old knowledge', 'revocation.stale', (draft) => {
      draft.checkedAtSeconds = NOW - 11;
    }),
    fault('knowledge from the future', 'revocation.stale', (draft) => {
      draft.checkedAtSeconds = NOW + 60;
    }),
  ],
  lineage: [
    fault(
      'parent nobody knows',
      'lineage.parent_unknown',
      withParent(() => undefined),
    ),
    fault(
      'parent that was denied',
      'lineage.parent_denied',
      withParent((sound) => ({ ...sound, verdict: 'deny' })),
    ),
    fault(
      'parent that was stopped',
      'lineage.parent_denied',
      withParent((sound) => ({ ...sound, terminated: true })),
    ),
    fault(
      'parent of another authority',
      'lineage.root_mismatch',
      withParent((sound) => ({ ...sound, tokenHashes: ['x'], leafTokenHash: 'x' })),
    ),
    fault(
      'too deep',
      'lineage.too_deep',
      withParent((sound) => ({ ...sound, depth: 4 })),
    ),
  ],
  policy: [
    fault('policy forbids', 'policy.forbidden', (draft) => {
      draft.policy = policies.forbid;
    }),
    fault('no policy permits', 'policy.not_permitted', (draft) => {
      draft.policy = policies.silent;
    }),
    fault('a forbid that errs', 'policy.evaluation_failed', (draft) => {
      draft.policy = policies.overflow;
    }),
    fault('another policy required', 'policy.version_mismatch', (draft) => {
      govern(draft, { policy: { id: 'another' } });
    }),
    fault('another policy required by the root', 'policy.version_mismatch', (draft) => {
      governRoot(draft, { policy: { id: 'another' } });
    }),
    fault('another policy of the same digest required', 'policy.version_mismatch', (draft) => {
      govern(draft, { policy: { id: 'another', digest: draft.policy.bundle.digest } });
    }),
    fault('bundle at hand is another', 'policy.unavailable', (draft) => {
      draft.atHand = policies.other;
    }),
    fault('another version required', 'policy.version_mismatch', (draft) => {
      govern(draft, { policy: { id: draft.policy.bundle.id, digest: digestOf('older') } });
    }),
    fault('bundle not at hand', 'policy.unavailable', (draft) => {
      draft.policyAtHand = false;
    }),
    fault('no policy published', 'policy.unavailable', (draft) => {
      draft.policyPublished = false;
    }),
  ],
  approval: [
    fault('nobody asked', 'approval.required', (draft) => {
      govern(draft, { approvals: [{ role: 'operator', threshold: 1 }] });
    }),
    fault('nobody asked whom the root names', 'approval.required', (draft) => {
      governRoot(draft, { approvals: [{ role: 'auditor', threshold: 1 }] });
    }),
    fault('nobody asked whom policy names', 'approval.required', (draft) => {
      draft.policy = policies.approval;
    }),
    fault('approved by the agent at the leaf', 'approval.required', approvalBy(WORKER, 'approve', NOW + 60)),
    fault(
      'approved by the person who set it in motion',
      'approval.required',
      approvalBy('mailto:a@b.example', 'approve', NOW + 60, (draft) => {
        draft.rootWrit = { ...draft.rootWrit, initiator: { id: 'mailto:a@b.example', kind: 'human' } };
      }),
    ),
    fault(
      'approved by the agent that delegated',
      'approval.required',
      approvalBy(PLANNER, 'approve', NOW + 60, (draft) => {
        draft.rootWrit = { ...draft.rootWrit, initiator: { id: 'mailto:a@b.example', kind: 'human' } };
      }),
    ),
    fault('approved for other arguments', 'approval.required', (draft) => {
      approvalBy('alice', 'approve', NOW + 60)(draft);
      draft.approvedArgs = { path: '/data/b.txt', count: 1 };
    }),
    fault('approved by the requester', 'approval.required', approvalBy(PLANNER, 'approve', NOW + 60)),
    fault('rejected', 'approval.rejected', approvalBy('alice', 'reject', NOW + 60)),
    fault('approved too long ago', 'approval.expired', approvalBy('alice', 'approve', NOW - 1)),
  ],
  replay: [
    fault('used before', 'replay.detected', (draft) => {
      draft.replay = 'used';
    }),
    fault('counters spent', 'scope.use_exhausted', (draft) => {
      draft.replay = 'exhausted';
    }),
    fault('memory does not answer', 'replay.unavailable', (draft) => {
      draft.replay = 'unavailable';
    }),
    fault('counted elsewhere', 'replay.unavailable', (draft) => {
      draft.rootWrit = { ...draft.rootWrit, use: { ...draft.rootWrit.use, maxUses: 5 } };
      draft.keepsCounters = false;
    }),
  ],
  record: [
    fault('log does not answer', 'log.unavailable', (draft) => {
      draft.record = 'unavailable';
    }),
  ],
};

/** Everything a call may have that must not stop it. */
export const VARIATIONS: readonly { readonly name: string; readonly apply: (draft: Draft) => void }[] = [
  { name: 'a sound parent', apply: withParent((sound) => sound) },
  { name: 'an approval', apply: approvalBy('alice', 'approve', NOW + 60) },
  {
    name: 'a parent under the leaf itself',
    apply: (draft) => {
      draft.parent = PARENT;
      draft.parentFact = (leafHash, rootHash) => ({
        ...{
          executionId: PARENT,
          verdict: 'permit',
          tokenHashes: [rootHash, leafHash],
          leafTokenHash: leafHash,
        },
        ...{ depth: 0, rootExecutionId: PARENT, terminated: false, tool: TOOL },
      });
    },
  },
  {
    name: 'a twin beside this enforcement point',
    apply: (draft) => {
      draft.addressed = [SHARED_AUDIENCE, AUDIENCE];
      draft.audience = SHARED_AUDIENCE;
    },
  },
  {
    name: 'an artifact of last week',
    apply: (draft) => {
      draft.iatSeconds = NOW - 7 * 86_400;
    },
  },
  {
    name: 'a policy that reads every fact',
    apply: (draft) => {
      draft.policy = policies.facts;
      draft.rootWrit = {
        ...draft.rootWrit,
        attribution: { owner: 'owner' },
        governance: { purpose: 'purpose', reference: 'reference', risk: 'risk' },
      };
      withParent((sound) => ({ ...sound, depth: 1, tool: OTHER_TOOL }))(draft);
    },
  },
  {
    name: 'a policy that wants no fact to be known',
    apply: (draft) => {
      draft.policy = policies.noFacts;
      draft.rootWrit = {};
      draft.enrolled = [];
      draft.measured = false;
    },
  },
  {
    name: 'a workload that is enrolled',
    apply: (draft) => {
      draft.rootWrit = { ...draft.rootWrit, initiator: { id: PLANNER, kind: 'workload' } };
    },
  },
  {
    name: 'a person nobody enrolled',
    apply: (draft) => {
      draft.rootWrit = { ...draft.rootWrit, initiator: { id: 'mailto:a@b.example', kind: 'human' } };
    },
  },
  {
    name: 'a policy pinned by every token',
    apply: (draft) => {
      const { id, digest } = draft.policy.bundle;
      govern(draft, { policy: { id, digest } });
      governRoot(draft, { policy: { id } });
    },
  },
  {
    name: 'an open window',
    apply: (draft) => {
      const windows = [{ days: ['wed'], from: '09:00', to: '17:00', tz: 'UTC' }] as const;
      draft.rootWrit = { ...draft.rootWrit, use: { ...draft.rootWrit.use, windows } };
    },
  },
  {
    name: 'a counter',
    apply: (draft) => {
      draft.rootWrit = { ...draft.rootWrit, use: { ...draft.rootWrit.use, maxUses: 5 } };
    },
  },
  {
    name: 'an environment binding',
    apply: (draft) => bindEnvironment(draft, { assurance: 'self', maxAgeSeconds: 60 }),
  },
];

function otherRoot(draft: Draft): string {
  const root = mintRoot({
    issuer: draft.issuer,
    holder: keys.planner.publicKey,
    tools: { [draft.grantedTool]: {} },
    iatSeconds: draft.iatSeconds,
    expSeconds: draft.expSeconds,
    maxDepth: 2,
    audiences: [AUDIENCE],
    jti: '019b0000-0000-7000-8000-00000000cccc',
  });
  if (isDenial(root)) throw new TypeError(root.detail);
  return root;
}
