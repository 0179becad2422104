import type { NameConstraints as AsnNameConstraints, GeneralName, GeneralSubtree } from '@peculiar/asn1-x509';

/** What names the certificates below an authority may have (RFC 5280 §4.2.1.10), as far as it is understood. */
export interface NameConstraints {
  /** Hosts of URI names; undefined: any. */
  readonly permittedHosts: readonly string[] | undefined;
  readonly excludedHosts: readonly string[];
  /** Kinds of other names that are constrained: not understood, so certificates with such names are refused. */
  readonly otherKinds: ReadonlySet<string>;
}

const KINDS = [
  'otherName',
  'rfc822Name',
  'dNSName',
  'x400Address',
  'directoryName',
  'ediPartyName',
  'iPAddress',
  'registeredID',
] as const;

const HOST = /^\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/** @returns what is wrong with it, as a text. */
export function nameConstraintsOf(
  parsed: AsnNameConstraints | undefined,
): NameConstraints | undefined | string {
  if (parsed === undefined) return undefined;
  const permitted = [...(parsed.permittedSubtrees ?? [])];
  const excluded = [...(parsed.excludedSubtrees ?? [])];
  if (permitted.length + excluded.length === 0) return 'its name constraints constrain nothing';
  if (![...permitted, ...excluded].every(isWhole)) return 'its name constraints have bounds';
  const permittedHosts = hostsOf(permitted);
  const excludedHosts = hostsOf(excluded);
  if (![...permittedHosts, ...excludedHosts].every((host) => HOST.test(host))) {
    return 'its name constraints are malformed';
  }
  return {
    permittedHosts: permittedHosts.length === 0 ? undefined : permittedHosts,
    excludedHosts,
    otherKinds: new Set([...permitted, ...excluded].flatMap(({ base }) => kindsOf(base))),
  };
}

/** Whether a certificate below may have its names: URIs of this trust domain, and others. */
export function permitsNames(
  { permittedHosts, excludedHosts, otherKinds }: NameConstraints,
  names: readonly GeneralName[],
  trustDomain: string | undefined,
): boolean {
  if (names.some((name) => kindsOf(name).some((kind) => otherKinds.has(kind)))) return false;
  // A subject is a directory name, which every certificate may have.
  if (otherKinds.has('directoryName')) return false;
  if (trustDomain === undefined) return true;
  if (excludedHosts.some((host) => isWithin(trustDomain, host))) return false;
  return permittedHosts === undefined || permittedHosts.some((host) => isWithin(trustDomain, host));
}

/** `.example` is every name below it, and not itself; a name without the dot is that one host. */
function isWithin(trustDomain: string, constraint: string): boolean {
  return constraint.startsWith('.') ? trustDomain.endsWith(constraint) : trustDomain === constraint;
}

function hostsOf(subtrees: readonly GeneralSubtree[]): string[] {
  return subtrees.flatMap(({ base: { uniformResourceIdentifier: host } }) =>
    host === undefined ? [] : [host.toLowerCase()],
  );
}

/** Minimum 0 and no maximum (RFC 5280 §4.2.1.10). */
function isWhole({ minimum, maximum }: GeneralSubtree): boolean {
  return minimum === 0 && maximum === undefined;
}

function kindsOf(name: GeneralName): string[] {
  return KINDS.filter((kind) => name[kind] !== undefined);
}
