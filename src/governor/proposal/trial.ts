import { createProof, mintRoot, type WritClaim } from '../../artifact/index.ts';
import type { JsonObject } from '../../codec/index.ts';
import { type Action, decide, type Snapshot } from '../../decision/index.ts';
import { isDenial } from '../../denial/index.ts';
import { GOVERNANCE_EVENT } from '../../governance/index.ts';
import { SigningKey } from '../../key/index.ts';
import type { PreparedPolicy } from '../../policy/index.ts';

/** A root artifact that is not issued yet. */
export interface ProposedGrant {
  readonly tools: { readonly [tool: string]: JsonObject };
  readonly audiences: readonly string[];
  readonly writ: WritClaim;
}

export interface TriedCall {
  readonly tool: string;
  readonly args: JsonObject;
}

const LIFETIME_SECONDS = 3600;

/** What a trial says of a call that the grant is enough for. */
export const PASSES: ReadonlySet<string> = new Set(['permit', 'approval.required']);

/**
 * Decides calls under an artifact and a policy that do not exist yet. Everything else is as it stands. The keys are made up for the
 * trial: issuer and holder have others, and nothing that is signed here counts anywhere.
 */
export class Trial {
  readonly #asked: Action;
  readonly #snapshot: Snapshot;
  readonly #holder = SigningKey.generate();
  readonly #issuer = SigningKey.generate();
  readonly #iss: string;

  /** @param agent enrolled subject that holds the artifact. */
  constructor(
    asked: Action,
    snapshot: Snapshot,
    { iss, agent }: { readonly iss: string; readonly agent: string },
  ) {
    this.#asked = asked;
    this.#iss = iss;
    const common = { type: GOVERNANCE_EVENT, at: Math.floor(snapshot.nowSeconds), actor: 'trial' } as const;
    const governance = snapshot.governance
      .apply({ ...common, event: 'anchor.added', iss, jwk: this.#issuer.publicKey.jwk })
      .apply({ ...common, event: 'agent.enrolled', subject: agent, jwk: this.#holder.publicKey.jwk });
    this.#snapshot = { ...snapshot, governance };
  }

  /** `permit`, or the code of the denial. */
  decide(
    { tool, args }: TriedCall,
    { tools, audiences, writ }: ProposedGrant,
    policy?: PreparedPolicy,
  ): string {
    const iatSeconds = Math.floor(this.#snapshot.nowSeconds);
    const audience = this.#snapshot.audiences.at(-1);
    const token = mintRoot({
      issuer: { iss: this.#iss, signer: this.#issuer },
      holder: this.#holder.publicKey,
      ...{ tools, audiences, writ, iatSeconds },
      expSeconds: iatSeconds + LIFETIME_SECONDS,
    });
    if (isDenial(token)) return token.code;
    const proof = createProof({
      ...{ leaf: token, signer: this.#holder, tool, args, iatSeconds },
      ...(audience === undefined ? {} : { audience }),
    });
    const { answer } = decide(
      {
        ...{ tool, args, presentation: { aat_chain: [token], aat_pop: proof } },
        ...(tool === this.#asked.tool && this.#asked.toolDigest !== undefined
          ? { toolDigest: this.#asked.toolDigest }
          : {}),
      },
      policy === undefined ? this.#snapshot : this.#withPolicy(policy),
    );
    return isDenial(answer) ? answer.code : 'permit';
  }

  #withPolicy(policy: PreparedPolicy): Snapshot {
    const { governance, nowSeconds } = this.#snapshot;
    const { id, digest } = policy.bundle;
    const published = governance.apply({
      type: GOVERNANCE_EVENT,
      event: 'policy.published',
      at: Math.floor(nowSeconds),
      actor: 'trial',
      id,
      digest,
    });
    return { ...this.#snapshot, policy, governance: published };
  }
}
