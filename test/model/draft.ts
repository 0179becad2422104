import {
  createProof,
  deriveToken,
  mintRoot,
  type Presentation,
  type WritClaim,
} from '../../src/artifact/index.ts';
import { canonicalize, type Digest, digestOf, type JsonObject } from '../../src/codec/index.ts';
import type { Action, ApprovalFact, Snapshot } from '../../src/decision/index.ts';
import { type Denial, isDenial } from '../../src/denial/index.ts';
import { type Component, measurementOf } from '../../src/environment/index.ts';
import {
  foldGovernance,
  GOVERNANCE_EVENT,
  type GovernanceEvent,
  type RevocationHandle,
  serializeGovernanceEvent,
} from '../../src/governance/index.ts';
import { SigningKey } from '../../src/key/index.ts';
import type { ParentFact } from '../../src/lineage/index.ts';
import {
  buildPolicyBundle,
  type PreparedPolicy,
  preparePolicy,
  toolDefinitionDigest,
} from '../../src/policy/index.ts';

/** 2026-01-07T12:00:00Z, a Wednesday. */
export const NOW = 1_767_787_200;
export const DOMAIN = 'model.test';
export const ISSUER = `spiffe://${DOMAIN}/issuer`;
export const AUDIENCE = `spiffe://${DOMAIN}/gateway/fs`;
export const PLANNER = `spiffe://${DOMAIN}/agent/planner`;
export const WORKER = `spiffe://${DOMAIN}/agent/worker`;
export const TOOL = 'mcp://fs/tools/read';
export const OTHER_TOOL = 'mcp://fs/tools/write';
export const PARENT = '019b0000-0000-7000-8000-000000000001';
/** The name that two instances of the gateway share. */
export const SHARED_AUDIENCE = `spiffe://${DOMAIN}/gateway/shared`;
const ROOT_ID = '019b0000-0000-7000-8000-00000000aaaa';
const LEAF_ID = '019b0000-0000-7000-8000-00000000bbbb';

const key = (seed: number) => SigningKey.fromSeed(Buffer.alloc(32, seed));
export const keys = { issuer: key(1), planner: key(2), worker: key(3), stranger: key(4) };

const DEFINITION: JsonObject = {
  name: 'read',
  inputSchema: {
    type: 'object',
    properties: { path: { type: 'string' }, count: { type: 'integer' } },
    required: ['path'],
  },
  annotations: { readOnlyHint: true },
};
export const DEFINITION_DIGEST = toolDefinitionDigest(DEFINITION);

function policy(id: string, text: string): PreparedPolicy {
  const tools = [TOOL, OTHER_TOOL].map((tool) => ({ server: 'fs', id: tool, definition: DEFINITION }));
  const bundle = buildPolicyBundle({ id, policies: [{ path: `${id}.cedar`, text }], tools });
  if (Array.isArray(bundle)) throw new TypeError(JSON.stringify(bundle));
  return preparePolicy(bundle as Exclude<typeof bundle, readonly unknown[]>);
}

const COMPONENTS: readonly Component[] = [{ kind: 'node', name: 'node', digest: digestOf('node') }];

/** Permits only where each fact that policies can read is what it should be, in the variation of that name. */
const FACTS = `permit (
  principal == Writ::Agent::"${WORKER}", action == Writ::Action::"${TOOL}", resource == Writ::Server::"fs"
) when {
  context.input has count && context.artifact has initiator && context.artifact has owner &&
  context.artifact has purpose && context.artifact has reference && context.artifact has risk &&
  context.environment has digest && context.lineage has parentTool &&
  principal.enrolled && principal.thumbprint == "${keys.worker.publicKey.thumbprint}" &&
  context.input.path == "/data/a.txt" && context.input.count == 1 && context.unrepresented.isEmpty() &&
  context.artifact.issuer == "${ISSUER}" && context.artifact.depth == 1 &&
  context.artifact.rootId == "${ROOT_ID}" && context.artifact.leafId == "${LEAF_ID}" &&
  context.artifact.initiator == { id: "${PLANNER}", kind: "agent" } &&
  context.artifact.owner == "owner" && context.artifact.purpose == "purpose" &&
  context.artifact.reference == "reference" && context.artifact.risk == "risk" &&
  context.artifact.expiresInSeconds == 3600 &&
  context.environment.measured && context.environment.assurance == "self" &&
  context.environment.digest == "${measurementOf(COMPONENTS, 'self', NOW).digest}" &&
  !context.lineage.isRoot && context.lineage.depth == 2 && context.lineage.parentTool == "${OTHER_TOOL}" &&
  context.time == { epochSeconds: ${NOW}, hourUtc: 12, minuteUtc: 0, dayOfWeekUtc: 3 }
};`;

/** The same where little is known. */
const NO_FACTS = `permit (
  principal == Writ::Agent::"${keys.worker.publicKey.thumbprintUri}", action, resource
) when {
  !principal.enrolled && principal.thumbprint == "${keys.worker.publicKey.thumbprint}" &&
  !(context.artifact has initiator) && !(context.artifact has owner) && !(context.artifact has risk) &&
  !context.environment.measured && context.environment.assurance == "none" && !(context.environment has digest) &&
  context.lineage.isRoot && context.lineage.depth == 0 && !(context.lineage has parentTool)
};`;

const PERMIT = 'permit (principal, action, resource);';
/** One bundle for each thing a policy can say. */
export const policies = {
  permit: policy('permit', PERMIT),
  other: policy('other', PERMIT),
  forbid: policy('forbid', `${PERMIT}\nforbid (principal, action, resource);`),
  silent: policy('silent', 'permit (principal, action, resource) when { context.input.path == "nowhere" };'),
  overflow: policy(
    'overflow',
    `${PERMIT}\nforbid (principal, action, resource) when { context.time.epochSeconds * 9223372036854775807 > 0 };`,
  ),
  facts: policy('facts', FACTS),
  noFacts: policy('noFacts', NO_FACTS),
  approval: policy('approval', `@approval("operator:2")\n${PERMIT}`),
};

/** One call with everything about it in order; a fault changes one thing. */
export interface Draft {
  tool: string;
  args: JsonObject;
  /** Replaces what is presented. */
  presentation: undefined | Denial | 'as drafted';
  /** What the enforcement point itself finds wrong. */
  refusal?: Denial;
  issuer: { iss: string; signer: SigningKey };
  iatSeconds: number;
  expSeconds: number;
  nbfSeconds?: number;
  audience: string;
  /** Whether any token names an audience. */
  named: boolean;
  /** Under which names the enforcement point is addressed, its own last. */
  addressed: string[];
  rootWrit: WritClaim;
  leafWrit: WritClaim;
  grantedTool: string;
  grantedPath: string;
  /** Changes the chain after it was made. */
  tamper: (chain: string[]) => string[];
  proof: {
    signer: SigningKey;
    args?: JsonObject;
    tool?: string;
    iatSeconds: number;
    audience: string | undefined;
    absent?: boolean;
  };
  parent?: string;
  parentFact: (leafHash: string, rootHash: string) => ParentFact | undefined;
  components: Component[];
  measured: boolean;
  measuredAtSeconds: number;
  toolDigest: Digest;
  revoke: { handle: RevocationHandle; value: (ids: Ids) => string }[];
  enrolled: { subject: string; key: SigningKey }[];
  policy: PreparedPolicy;
  policyPublished: boolean;
  policyAtHand: boolean;
  /** Another one than is published. */
  atHand?: PreparedPolicy;
  checkedAtSeconds: number;
  /** What was said about exactly the drafted action. */
  approvals: () => ApprovalFact[];
  /** Where something else was approved. */
  approvedArgs?: JsonObject;
  keepsCounters: boolean;
  replay: Snapshot['replay'];
  record: Snapshot['record'];
}

/** What a revocation may name of a built chain. */
export interface Ids {
  rootId: string;
  leafId: string;
  policyDigest: Digest;
  environmentDigest: Digest;
}

export function newDraft(): Draft {
  return {
    tool: TOOL,
    args: { path: '/data/a.txt', count: 1 },
    presentation: 'as drafted',
    issuer: { iss: ISSUER, signer: keys.issuer },
    iatSeconds: NOW - 60,
    expSeconds: NOW + 3600,
    audience: AUDIENCE,
    named: true,
    addressed: [AUDIENCE],
    rootWrit: { initiator: { id: PLANNER, kind: 'agent' } },
    leafWrit: {},
    grantedTool: TOOL,
    grantedPath: '/data/a.txt',
    tamper: (chain) => chain,
    proof: { signer: keys.worker, iatSeconds: NOW, audience: AUDIENCE },
    parentFact: () => undefined,
    components: [...COMPONENTS],
    measured: true,
    measuredAtSeconds: NOW - 5,
    toolDigest: DEFINITION_DIGEST,
    revoke: [],
    enrolled: [
      { subject: PLANNER, key: keys.planner },
      { subject: WORKER, key: keys.worker },
    ],
    policy: policies.permit,
    policyPublished: true,
    policyAtHand: true,
    checkedAtSeconds: NOW - 1,
    approvals: () => [],
    keepsCounters: true,
    replay: 'fresh',
    record: 'available',
  };
}

/** The real request and snapshot of a draft: real keys, tokens, policy and governance events. */
export function build(draft: Draft): { action: Action; snapshot: Snapshot } {
  const chain = draft.tamper(mintChain(draft));
  const measurement = measurementOf(draft.components, 'self', draft.measuredAtSeconds);
  const ids: Ids = {
    rootId: ROOT_ID,
    leafId: LEAF_ID,
    policyDigest: draft.policy.bundle.digest,
    environmentDigest: measurement.digest,
  };
  const presentation = draft.presentation === 'as drafted' ? present(draft, chain) : draft.presentation;
  const governance = foldGovernance(eventsOf(draft, ids).map(serializeGovernanceEvent));
  if (isDenial(governance)) throw new TypeError(governance.detail);
  const fact = draft.parentFact(hashOf(chain.at(-1)), hashOf(chain.at(0)));
  return {
    action: {
      ...{ tool: draft.tool, args: draft.args, presentation, toolDigest: draft.toolDigest },
      ...(draft.refusal === undefined ? {} : { refusal: draft.refusal }),
    },
    snapshot: {
      nowSeconds: NOW,
      audiences: draft.addressed,
      keepsCounters: draft.keepsCounters,
      governance,
      governanceCheckedAtSeconds: draft.checkedAtSeconds,
      maxStalenessSeconds: 10,
      policy: draft.policyAtHand ? (draft.atHand ?? draft.policy) : undefined,
      measurement: draft.measured ? measurement : undefined,
      findParent: (id) => {
        // Nobody asks for the parent of a call that names none.
        if (draft.parent === undefined) throw new TypeError('no parent was named');
        return id === draft.parent ? fact : undefined;
      },
      maxLineageDepth: 4,
      findApprovals: (action) => ({
        actionDigest: `salted-sha256:${digestOf(action).slice('sha256:'.length)}`,
        given: action === actionOf(draft, chain) ? draft.approvals() : [],
      }),
      replay: draft.replay,
      record: draft.record,
    },
  };
}

function mintChain(draft: Draft): string[] {
  const { issuer, iatSeconds, expSeconds, nbfSeconds, audience, rootWrit, leafWrit } = draft;
  const root = mintRoot({
    issuer,
    holder: keys.planner.publicKey,
    tools: {
      [draft.grantedTool]: {
        path: { constraint_type: 'wildcard' },
        count: { constraint_type: 'range', max: 100 },
      },
    },
    iatSeconds,
    expSeconds,
    maxDepth: 2,
    ...(draft.named ? { audiences: [audience] } : {}),
    jti: ROOT_ID,
    writ: rootWrit,
    ...(nbfSeconds === undefined ? {} : { nbfSeconds }),
  });
  if (isDenial(root)) throw new TypeError(root.detail);
  const leaf = deriveToken({
    parent: root,
    signer: keys.planner,
    holder: keys.worker.publicKey,
    tools: {
      [draft.grantedTool]: {
        path: { constraint_type: 'exact', value: draft.grantedPath },
        count: { constraint_type: 'range', max: 10 },
      },
    },
    iatSeconds,
    jti: LEAF_ID,
    writ: leafWrit,
    // A child of counted tokens names its audience itself.
    ...(draft.named ? { audiences: [audience] } : {}),
  });
  if (isDenial(leaf)) throw new TypeError(leaf.detail);
  return [root, leaf];
}

function present({ proof, args, tool, parent }: Draft, chain: string[]): Presentation {
  if (proof.absent) return { aat_chain: chain, aat_pop: '' };
  return {
    aat_chain: chain,
    aat_pop: signProof(proof.signer, {
      leaf: chain.at(-1) ?? '',
      tool: proof.tool ?? tool,
      args: proof.args ?? args,
      iatSeconds: proof.iatSeconds,
      ...(proof.audience === undefined ? {} : { audience: proof.audience }),
      ...(parent === undefined ? {} : { parent }),
    }),
  };
}

type ProofInput = Omit<Parameters<typeof createProof>[0], 'signer'>;

/** Like createProof, but for any signer: a thief signs with the key they have. */
function signProof(signer: SigningKey, input: ProofInput): string {
  if (signer === keys.worker && typeof input.leaf === 'string' && readable(input.leaf)) {
    return createProof({ ...input, signer, jti: 'proof-1' });
  }
  const header = Buffer.from(canonicalize({ alg: 'Ed25519', typ: 'aat-pop+jwt' })).toString('base64url');
  const claims = {
    jti: 'proof-1',
    iat: input.iatSeconds,
    aat_id: LEAF_ID,
    aat_hash: hashOf(typeof input.leaf === 'string' ? input.leaf : undefined),
    aat_tool: input.tool,
    hta: input.args,
    ...(input.audience === undefined ? {} : { aat_aud: input.audience }),
    ...(input.parent === undefined ? {} : { writ: { parent: input.parent } }),
  };
  const signingInput = `${header}.${Buffer.from(canonicalize(claims)).toString('base64url')}`;
  return `${signingInput}.${Buffer.from(signer.sign(Buffer.from(signingInput))).toString('base64url')}`;
}

/** createProof reads the leaf; what tampering left may be no token at all. */
function readable(token: string): boolean {
  return token.split('.').length === 3 && token.startsWith('eyJ');
}

function hashOf(token: string | undefined): string {
  const signingInput = (token ?? '').split('.').slice(0, 2).join('.');
  return Buffer.from(digestOf(signingInput).slice('sha256:'.length), 'hex').toString('base64url');
}

function eventsOf(draft: Draft, ids: Ids): GovernanceEvent[] {
  const common = { type: GOVERNANCE_EVENT, at: NOW - 1000, actor: 'operator' } as const;
  return [
    { ...common, event: 'domain.created', name: DOMAIN },
    { ...common, event: 'anchor.added', iss: ISSUER, jwk: keys.issuer.publicKey.jwk },
    ...draft.enrolled.map(
      ({ subject, key }): GovernanceEvent => ({
        ...common,
        event: 'agent.enrolled',
        subject,
        jwk: key.publicKey.jwk,
      }),
    ),
    ...(draft.policyPublished
      ? [
          {
            ...common,
            event: 'policy.published',
            id: draft.policy.bundle.id,
            digest: draft.policy.bundle.digest,
          } as const,
        ]
      : []),
    ...draft.revoke.map(
      ({ handle, value }): GovernanceEvent => ({ ...common, event: 'revoked', handle, value: value(ids) }),
    ),
  ];
}

function actionOf(draft: Draft, chain: string[]): string {
  return canonicalize({
    type: 'writ/action@v1',
    tool: draft.tool.toWellFormed(),
    arguments: canonicalize(draft.approvedArgs ?? draft.args),
    artifact: digestOf(chain.join('\n')),
    policy: draft.policy.bundle.digest,
    audience: draft.addressed.at(-1) ?? '',
  });
}
