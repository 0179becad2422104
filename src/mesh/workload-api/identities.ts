import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { isJsonObject, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { parseSpiffeId, type TrustBundle, trustBundleOf } from '../../workload/index.ts';
import { splitDer } from './split-der.ts';

/** An X.509-SVID of this workload, with its key. */
export interface X509Identity {
  readonly id: string;
  /** DER in base64, leaf first. */
  readonly certificates: readonly string[];
  readonly privateKey: KeyObject;
  readonly hint: string;
}

/** A WIT-SVID of this workload, with its key. */
export interface WitIdentity {
  readonly id: string;
  readonly wit: string;
  readonly privateKey: KeyObject;
  readonly hint: string;
}

const bytes = z.instanceof(Uint8Array);
const x509Response = z.object({
  svids: z.array(
    z.object({
      spiffe_id: z.string(),
      x509_svid: bytes,
      x509_svid_key: bytes,
      bundle: bytes,
      hint: z.string(),
    }),
  ),
});
const witResponse = z.object({
  svids: z.array(
    z.object({ spiffe_id: z.string(), wit_svid: z.string(), wit_svid_key: z.string(), hint: z.string() }),
  ),
});
const x509Bundles = z.object({ bundles: z.record(z.string(), bytes) });
const witBundles = z.object({ bundles: z.record(z.string(), z.string()), more: z.boolean() });

/** @throws Error saying what is wrong with the answer: it is used whole, or not at all. */
export function x509IdentitiesOf(message: unknown): readonly X509Identity[] {
  return x509Response.parse(message).svids.map(({ spiffe_id: id, x509_svid, x509_svid_key, hint }) => {
    const chain = splitDer(x509_svid);
    const [leaf] = chain ?? [];
    if (chain === undefined || leaf === undefined) throw new Error('an SVID is no certificates');
    const privateKey = createPrivateKey({ key: Buffer.from(x509_svid_key), format: 'der', type: 'pkcs8' });
    if (!new X509Certificate(leaf).checkPrivateKey(privateKey)) throw new Error('an SVID has another key');
    return { id, certificates: chain.map((one) => Buffer.from(one).toString('base64')), privateKey, hint };
  });
}

/** @throws as {@link x509IdentitiesOf}. */
export function witIdentitiesOf(message: unknown): readonly WitIdentity[] {
  return witResponse.parse(message).svids.map(({ spiffe_id: id, wit_svid: wit, wit_svid_key, hint }) => {
    const jwk = objectOf(wit_svid_key);
    return { id, wit, privateKey: createPrivateKey({ key: { ...jwk }, format: 'jwk' }), hint };
  });
}

/** Keys by the trust domain they are of. */
export type BundleKeys = ReadonlyMap<string, readonly JsonObject[]>;

/**
 * What is wrong with the bundle of one trust domain. INVARIANT: nobody is trusted by a bundle that cannot be read, and it keeps
 * back no other: federated bundles are written by other parties, and none of them may hold up what another withdraws.
 */
export type OnUnreadable = (problem: string) => void;

/** @throws Error where the answer is not of the form of one. */
export function x509KeysOf(message: unknown, onUnreadable: OnUnreadable): BundleKeys {
  const { bundles } = x509Bundles.parse(message);
  return byTrustDomain(bundles, onUnreadable, (der) => {
    const certificates = splitDer(der);
    if (certificates === undefined) throw new Error('a bundle is no certificates');
    return certificates.map((one) => ({ use: 'x509-svid', x5c: [Buffer.from(one).toString('base64')] }));
  });
}

/** @throws as {@link x509KeysOf}. */
export function witKeysOf(
  message: unknown,
  onUnreadable: OnUnreadable,
): { readonly keys: BundleKeys; readonly more: boolean; readonly characters: number } {
  const { bundles, more } = witBundles.parse(message);
  const characters = Object.values(bundles).reduce((sum, text) => sum + text.length, 0);
  const keys = byTrustDomain(bundles, onUnreadable, (text) => {
    const { keys: list } = objectOf(text);
    if (!Array.isArray(list)) throw new Error('a bundle has no keys');
    return list
      .filter(isJsonObject)
      .filter(({ use }) => use === undefined || use === 'wit-svid')
      .map((jwk) => ({ ...jwk, use: 'wit-svid' }));
  });
  return { keys, more, characters };
}

/** The bundles that both kinds of keys make, each of its own trust domain. */
export function trustBundlesOf(
  kinds: readonly (BundleKeys | undefined)[],
  onUnreadable: OnUnreadable,
): readonly TrustBundle[] {
  const names = new Set(kinds.flatMap((keys) => [...(keys?.keys() ?? [])]));
  return [...names].flatMap((trustDomain) => {
    const keys = kinds.flatMap((kind) => kind?.get(trustDomain) ?? []);
    const bundle = trustBundleOf(trustDomain, { keys });
    if (!isDenial(bundle)) return [bundle];
    onUnreadable(`${trustDomain}: ${bundle.detail}`);
    return [];
  });
}

function byTrustDomain<T>(
  bundles: Readonly<Record<string, T>>,
  onUnreadable: OnUnreadable,
  read: (bundle: T) => readonly JsonObject[],
): BundleKeys {
  const keys = new Map<string, readonly JsonObject[]>();
  for (const [id, bundle] of Object.entries(bundles)) {
    const name = parseSpiffeId(id);
    if (name === undefined || name.path !== '') {
      onUnreadable('a bundle is of no trust domain');
      continue;
    }
    try {
      keys.set(name.trustDomain, read(bundle));
    } catch (error) {
      onUnreadable(`${name.trustDomain}: ${error instanceof Error ? error.message : 'unreadable'}`);
    }
  }
  return keys;
}

function objectOf(text: string): JsonObject {
  const json = parseJsonObject(text, 'request.malformed');
  if (isDenial(json)) throw new Error(json.detail);
  return json;
}
