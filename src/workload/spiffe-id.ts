/** A SPIFFE ID taken apart (SPIFFE-ID §2). */
export interface SpiffeId {
  /** As written: equal IDs are equal strings, because there is no second spelling of one. */
  readonly uri: string;
  readonly trustDomain: string;
  /** With its leading slash; empty for the ID of a trust domain itself. */
  readonly path: string;
}

const SCHEME = 'spiffe://';
const MAX_CHARACTERS = 2048;
const MAX_TRUST_DOMAIN_CHARACTERS = 255;
/** Lower case, and labels that are not empty: `prod.` or `prod..example` are taken for another name by some reader. */
const TRUST_DOMAIN = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
const PATH = /^(?:\/[A-Za-z0-9._-]+)*$/;

/**
 * Parses a SPIFFE ID strictly: no port, user, query, fragment, percent-encoding, empty or dot segments, and no other case of
 * scheme and trust domain. Whatever has two spellings is refused rather than normalised.
 */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > MAX_CHARACTERS || !text.startsWith(SCHEME)) return undefined;
  const rest = text.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const trustDomain = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? '' : rest.slice(slash);
  if (!isTrustDomain(trustDomain) || !PATH.test(path)) return undefined;
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return undefined;
  return { uri: text, trustDomain, path };
}

/** The ID of a workload: one with a path, which that of a trust domain is not. */
export function parseWorkloadId(text: string): SpiffeId | undefined {
  const id = parseSpiffeId(text);
  return id === undefined || id.path === '' ? undefined : id;
}

export function isTrustDomain(text: string): boolean {
  return text.length <= MAX_TRUST_DOMAIN_CHARACTERS && TRUST_DOMAIN.test(text);
}
