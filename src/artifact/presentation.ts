import { isJsonObject, type JsonValue } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';

/** What a holder sends for one call (AAT-02 §7.4). */
export type Presentation = {
  /** Compact tokens, root first. */
  readonly aat_chain: readonly string[];
  /** The compact proof of possession. */
  readonly aat_pop: string;
  /** A WIT-SVID of the workload that calls, and the proof (WPT) that it is the one (spec/workload.md). */
  readonly wit?: string;
  readonly wpt?: string;
};

const MAX_TOKEN_CHARACTERS = 16 * 1024;

/**
 * Parses a presentation; members it does not know are ignored, as §7.4 wants.
 *
 * @returns `artifact.missing` without a chain, `identity.proof_missing` without a proof, `artifact.malformed`,
 *   `identity.proof_invalid` or `identity.mismatch` for members of another type.
 */
export function parsePresentation(json: JsonValue): Presentation | Denial {
  const chain = parseChainMember(json);
  if (isDenial(chain)) return chain;
  const proof = parseProofMember(json);
  if (isDenial(proof)) return proof;
  const workload = parseWorkloadMembers(json);
  return isDenial(workload) ? workload : { aat_chain: chain, aat_pop: proof, ...workload };
}

/** `wit` and `wpt`: strings of bounded length, both or neither. */
export function parseWorkloadMembers(json: JsonValue): Pick<Presentation, 'wit' | 'wpt'> | Denial {
  const { wit, wpt } = isJsonObject(json) ? json : {};
  if (wit === undefined && wpt === undefined) return {};
  if (!isToken(wit)) return deny('identity.mismatch', 'wit is no string of a token');
  if (!isToken(wpt)) return deny('identity.mismatch', 'wpt is no string of a token');
  return { wit, wpt };
}

function isToken(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TOKEN_CHARACTERS;
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
