import { type JsonObject, sha256Base64url } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import type { Signer } from '../key/index.ts';
import { parseClaimsJson, readHolder, readJti } from './claims.ts';
import { signCompact, splitCompact } from './jws.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { newUuidV7 } from './uuid.ts';

export interface Invocation {
  /** The compact leaf token, or its whole chain, root first. */
  readonly leaf: string | readonly string[];
  /** The leaf's holder key. */
  readonly signer: Signer;
  readonly tool: string;
  readonly args: JsonObject;
  /** Unix time, whole. */
  readonly iatSeconds: number;
  /** `aat_aud`: the enforcement point the call is sent to. */
  readonly audience?: string;
  /** The execution this call follows from. */
  readonly parent?: string;
  /** What the enforcement point asked for, if it did. */
  readonly nonce?: string;
  /** Default: a fresh UUIDv7. */
  readonly jti?: string;
}

/**
 * Signs a proof of possession for one call (AAT-02 §7.2), its payload in JCS.
 *
 * @throws TypeError if the leaf is not a token, the signer is not its holder or the arguments are not JSON.
 */
export function createProof(invocation: Invocation): string {
  const { signer, tool, args, iatSeconds, audience, parent, nonce } = invocation;
  const leaf = readLeaf(typeof invocation.leaf === 'string' ? invocation.leaf : invocation.leaf.at(-1));
  if (leaf.holderThumbprint !== signer.publicKey.thumbprint) {
    throw new TypeError('the signer is not the holder of the leaf token');
  }
  if (!Number.isInteger(iatSeconds)) throw new TypeError('iatSeconds is not an integer');
  return signCompact(
    'aat-pop+jwt',
    {
      jti: invocation.jti ?? newUuidV7(iatSeconds * 1000),
      iat: iatSeconds,
      aat_id: leaf.jti,
      aat_hash: leaf.hash,
      aat_tool: tool,
      hta: args,
      ...(audience === undefined ? {} : { aat_aud: audience }),
      ...(nonce === undefined ? {} : { nonce }),
      ...(parent === undefined ? {} : { writ: { parent } }),
    },
    signer,
  );
}

interface Leaf {
  readonly jti: string;
  readonly hash: string;
  readonly holderThumbprint: string;
}

/** A holder presents the same few leaves over and over; reading one costs as much as signing with it. */
const MAX_REMEMBERED = 16;
const remembered = new Map<string, Leaf>();

function readLeaf(compact: string | undefined): Leaf {
  const known = remembered.get(compact ?? '');
  if (known !== undefined) return known;
  const leaf = parseLeaf(compact);
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(compact ?? '', leaf);
  return leaf;
}

function parseLeaf(compact: string | undefined): Leaf {
  const jws = splitCompact(compact ?? '', 'artifact.malformed');
  const claims = isDenial(jws) ? jws : parseClaimsJson(jws.payload, DEFAULT_LIMITS);
  const holder = isDenial(claims) ? claims : readHolder(claims, '4b2');
  const jti = isDenial(claims) ? claims : readJti(claims, '4b1');
  if (isDenial(jws) || isDenial(holder) || isDenial(jti)) throw new TypeError('the leaf is not a token');
  return { jti, hash: sha256Base64url(jws.signingInput), holderThumbprint: holder.thumbprint };
}
