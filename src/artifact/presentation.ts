import { isJsonObject, type JsonValue } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';

/** What a holder sends for one call (AAT-02 §7.4). */
export type Presentation = {
  /** Compact tokens, root first. */
  readonly aat_chain: readonly string[];
  /** The compact proof of possession. */
  readonly aat_pop: string;
};

/**
 * Parses a presentation; members it does not know are ignored, as §7.4 wants.
 *
 * @returns `artifact.missing` without a chain, `identity.proof_missing` without a proof, `artifact.malformed` or
 *   `identity.proof_invalid` for members of another type.
 */
export function parsePresentation(json: JsonValue): Presentation | Denial {
  const chain = parseChainMember(json);
  if (isDenial(chain)) return chain;
  const proof = parseProofMember(json);
  return isDenial(proof) ? proof : { aat_chain: chain, aat_pop: proof };
}

export function parseChainMember(json: JsonValue): readonly string[] | Denial {
  if (!isJsonObject(json)) return deny('artifact.malformed', 'the presentation is not an object');
  const chain = json.aat_chain;
  if (chain === undefined) return deny('artifact.missing', 'aat_chain is absent');
  if (!Array.isArray(chain)) return deny('artifact.malformed', 'aat_chain is not an array');
  if (chain.length === 0) return deny('artifact.missing', 'step 1: aat_chain is empty');
  const tokens = chain.filter((token) => typeof token === 'string');
  return tokens.length === chain.length
    ? tokens
    : deny('artifact.malformed', 'a member of aat_chain is not a string');
}

export function parseProofMember(json: JsonValue): string | Denial {
  const proof = isJsonObject(json) ? json.aat_pop : undefined;
  if (proof === undefined) return deny('identity.proof_missing', 'aat_pop is absent');
  return typeof proof === 'string' ? proof : deny('identity.proof_invalid', 'aat_pop is not a string');
}
