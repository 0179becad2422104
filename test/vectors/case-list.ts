import type { ArtifactLimits } from '../../src/artifact/index.ts';
import type { JsonObject, JsonValue } from '../../src/codec/index.ts';
import type { ReasonCode } from '../../src/denial/index.ts';
import {
  capability,
  GATEWAY,
  ISSUER,
  KEYS,
  type Made,
  type Making,
  NARROWED,
  NOW,
  type Overrides,
  READ,
  TokenMaker,
} from './token-maker.ts';

/** One presentation and the exact answer (spec/artifact.md). Language-neutral: plain JSON. */
export interface Case {
  readonly name: string;
  /** The step of AAT-02 §8 or the rule that decides it. */
  readonly step: string;
  readonly anchors: readonly { readonly iss: string; readonly jwk: JsonObject }[];
  /** The identifier of the enforcement point. */
  readonly audience: string;
  /** Whether some token of the chain must carry `aud`. */
  readonly requireAudience: boolean;
  /** Whether the proof must carry `aat_aud`. */
  readonly requireProofAudience: boolean;
  /** The nonce the enforcement point issued and requires, if it does. */
  readonly nonce?: string;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<ArtifactLimits>;
  /** Unix time. */
  readonly now: number;
  readonly tool: string;
  /** The arguments as JSON text, since numbers count as written. */
  readonly args: string;
  readonly presentation: JsonValue;
  readonly expected: { readonly verdict: 'permit' | 'deny'; readonly code: ReasonCode | null };
}

export type Expected = 'permit' | ReasonCode;

export const PLAIN_ANCHORS: Case['anchors'] = [{ iss: ISSUER, jwk: { ...KEYS.issuer.publicKey.jwk } }];
export const PLAIN_ARGS: JsonObject = { path: '/data/a' };

export interface Settings {
  readonly tool?: string;
  readonly args?: JsonObject;
  /** Where the text must differ from `JSON.stringify(args)`. */
  readonly argsText?: string;
  readonly proof?: Overrides;
  readonly proofMaking?: Making;
  readonly anchors?: Case['anchors'];
  readonly audience?: string;
  readonly requireAudience?: boolean;
  readonly requireProofAudience?: boolean;
  readonly nonce?: string;
  readonly limits?: Partial<ArtifactLimits>;
  readonly now?: number;
  /** Replaces the whole presentation. */
  readonly presentation?: (chain: readonly string[], proof: string) => JsonValue;
}

export class CaseList {
  readonly cases: Case[] = [];
  readonly maker = new TokenMaker();

  /** Adds the presentation of a chain by its leaf holder. */
  add(step: string, name: string, expected: Expected, chain: readonly Made[], settings: Settings = {}): void {
    const { tool = READ, args = PLAIN_ARGS } = settings;
    const leaf = chain.at(-1);
    if (leaf === undefined) throw new TypeError('a case has a chain');
    const compact = chain.map((token) => token.compact);
    const proof = this.maker.proof(leaf, tool, args, settings.proof, settings.proofMaking);
    const presentation = settings.presentation?.(compact, proof) ?? { aat_chain: compact, aat_pop: proof };
    if (this.cases.some((known) => known.name === name)) throw new TypeError(`case ${name} exists`);
    this.cases.push({
      name,
      step,
      anchors: settings.anchors ?? PLAIN_ANCHORS,
      audience: settings.audience ?? GATEWAY,
      requireAudience: settings.requireAudience ?? false,
      requireProofAudience: settings.requireProofAudience ?? false,
      ...(settings.nonce === undefined ? {} : { nonce: settings.nonce }),
      ...(settings.limits === undefined ? {} : { limits: settings.limits }),
      now: settings.now ?? NOW,
      tool,
      args: settings.argsText ?? JSON.stringify(args),
      presentation,
      expected: {
        verdict: expected === 'permit' ? 'permit' : 'deny',
        code: expected === 'permit' ? null : expected,
      },
    });
  }

  /** A single root token. */
  root(
    step: string,
    name: string,
    expected: Expected,
    overrides: Overrides,
    making?: Making,
    settings?: Settings,
  ): void {
    this.add(step, name, expected, [this.maker.root(overrides, making)], settings);
  }

  /** A plain root and one child. */
  child(
    step: string,
    name: string,
    expected: Expected,
    overrides: Overrides,
    making?: Making,
    settings?: Settings,
  ): void {
    const root = this.maker.root();
    this.add(step, name, expected, [root, this.maker.child(root, overrides, making)], settings);
  }

  /** A root that grants one constraint for the argument `x` of the tool `t`. */
  constraint(step: string, name: string, expected: Expected, constraint: JsonValue, x: JsonValue): void {
    this.map(step, name, expected, { x: constraint }, { x });
  }

  /** A root that grants one constraint map for the tool `t`. */
  map(step: string, name: string, expected: Expected, map: JsonValue, args: JsonObject): void {
    const root = this.maker.root({ authorization_details: [capability({ t: map })] });
    this.add(step, name, expected, [root], { tool: 't', args });
  }

  /** A root and a child with a constraint map each for the tool `t`. */
  maps(
    step: string,
    name: string,
    expected: Expected,
    parent: JsonObject,
    child: JsonObject,
    args: JsonObject,
  ): void {
    const root = this.maker.root({ authorization_details: [capability({ t: parent })] });
    const leaf = this.maker.child(root, { authorization_details: [capability({ t: child })] });
    this.add(step, name, expected, [root, leaf], { tool: 't', args });
  }

  /** A pair of constraints for the argument `x`; `x` satisfies the child. */
  pair(name: string, valid: boolean, parent: JsonObject, child: JsonObject, x: JsonValue): void {
    const expected = valid ? 'permit' : 'artifact.attenuation_invalid';
    this.maps('4p4', `4p4 ${name}`, expected, { x: parent }, { x: child }, { x });
  }
}

export { capability, GATEWAY, ISSUER, KEYS, NARROWED, NOW, READ };
