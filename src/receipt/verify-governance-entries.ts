import { encodeBase64url } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  CompactTree,
  ED25519,
  leafHash,
  type NoteVerifier,
  openCheckpoint,
  parseVkey,
  type VerifiedCheckpoint,
  verifyConsistency,
} from '../tlog/index.ts';
import type { BundledGovernance } from './bundle.ts';
import type { Findings } from './findings.ts';

/** A governance log of a bundle, as far as its entries and signatures go; what they mean is for a fold to say. */
export interface CheckedGovernance {
  readonly entries: readonly Uint8Array[];
  /** Root of the first `size` entries, base64url; undefined for sizes that were not asked for. */
  readonly rootAt: (size: number) => string | undefined;
  /** Whether it is signed with the key the verifier was given. */
  readonly expected: boolean;
  readonly vkey: string;
  readonly checkpoint?: VerifiedCheckpoint;
}

/**
 * Computes the roots of the governance log at each size that a decision stood on, and verifies that a checkpoint signed
 * with its key covers all the entries.
 *
 * @param key the key the log must be of, where the verifier knows it.
 */
export function checkGovernanceEntries(
  { vkey, checkpoint: note, consistency, entries: texts }: BundledGovernance,
  sizes: Iterable<number>,
  key: NoteVerifier | undefined,
  witnesses: readonly NoteVerifier[],
  findings: Findings,
): CheckedGovernance {
  const entries = texts.map((text) => Buffer.from(text, 'utf8'));
  const asked = new Set(sizes);
  const roots = new Map<number, string>();
  const tree = CompactTree.empty();
  for (const entry of entries) {
    tree.append(leafHash(entry));
    if (asked.has(tree.size)) roots.set(tree.size, encodeBase64url(tree.root()));
  }
  const base = { entries, rootAt: (size: number) => roots.get(size), vkey };
  const named = parseVkey(vkey);
  if (isDenial(named) || named.type !== ED25519) {
    findings.problem('governance', isDenial(named) ? named.detail : 'its key is a witness key');
    return { ...base, expected: false };
  }
  const isExpected = key === undefined || (key.name === named.name && key.keyId === named.keyId);
  if (!isExpected || (key !== undefined && key.key.thumbprint !== named.key.thumbprint)) {
    findings.problem('governance key', `the bundle's governance log is of another key: ${vkey}`);
    return { ...base, expected: false };
  }
  const checkpoint = openCheckpoint(note, named, witnesses);
  if (isDenial(checkpoint)) {
    findings.problem('governance', `its checkpoint: ${checkpoint.detail}`);
    return { ...base, expected: false };
  }
  const proof = consistency.map((hash) => Buffer.from(hash, 'base64'));
  const isConsistent =
    proof.every((hash, at) => hash.toString('base64') === consistency[at]) &&
    entries.length <= checkpoint.size &&
    verifyConsistency({
      size1: entries.length,
      root1: tree.root(),
      size2: checkpoint.size,
      root2: checkpoint.rootHash,
      proof,
    });
  if (!isConsistent) {
    findings.problem('governance', 'its checkpoint does not cover these entries');
    return { ...base, expected: false };
  }
  return { ...base, expected: key !== undefined, checkpoint };
}
