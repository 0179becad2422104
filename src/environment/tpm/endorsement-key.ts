import { createHash, type KeyObject } from 'node:crypto';
import { ALG } from './algorithms.ts';
import { rsaKeyOf } from './attestation-key.ts';
import { ATTRIBUTE, hasAttributes, parsePublicArea, qualifiedNameOf } from './public-area.ts';

/** The key a TPM's maker vouches for. It only ever opens what is sealed to it. */
export interface EndorsementKey {
  readonly key: KeyObject;
  readonly name: Buffer;
  readonly qualifiedName: Buffer;
}

/** TPM_RH_ENDORSEMENT: the name of the hierarchy is its handle. */
const ENDORSEMENT_HIERARCHY = Buffer.from('4000000b', 'hex');

const REQUIRED =
  ATTRIBUTE.fixedTpm |
  ATTRIBUTE.fixedParent |
  ATTRIBUTE.sensitiveDataOrigin |
  ATTRIBUTE.restricted |
  ATTRIBUTE.decrypt;
const REFUSED = ATTRIBUTE.sign | ATTRIBUTE.encryptedDuplication;

/** Reads a TPMT_PUBLIC as an RSA-2048 endorsement key (TCG EK Credential Profile, template L-1), or says what is wrong. */
export function parseEndorsementKey(publicArea: Uint8Array): EndorsementKey | string {
  const area = parsePublicArea(publicArea);
  if (area?.kind !== 'rsa' || area.bits !== 2048) return 'the endorsement key is not RSA of 2048 bits';
  const { symmetric, scheme, name } = area;
  const isSealing = symmetric.alg === ALG.aes && symmetric.bits === 128 && symmetric.mode === ALG.cfb;
  if (!isSealing || scheme.alg !== ALG.null || !hasAttributes(area, REQUIRED, REFUSED)) {
    return 'the endorsement key is not a restricted decryption key that was made in its TPM and is fixed to it';
  }
  const key = rsaKeyOf(area);
  if (key === undefined) return 'the endorsement key has an unusual exponent';
  return { key, name, qualifiedName: qualifiedNameOf(ENDORSEMENT_HIERARCHY, name) };
}

/** Whether two keys are the same one. */
export function isSameKey(left: KeyObject, right: KeyObject): boolean {
  const digest = (key: KeyObject) =>
    createHash('sha256')
      .update(key.export({ type: 'spki', format: 'der' }))
      .digest();
  return digest(left).equals(digest(right));
}
