/** Between the id of an upstream and the name of what it offers. MCP tool names may hold it (`[A-Za-z0-9_.-]`). */
const SEPARATOR = '__';

/** No underscore, so that the first separator ends it; and what may begin a URI scheme (RFC 3986 §3.1). */
const UPSTREAM_ID = /^[A-Za-z](?:[A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$/;

/** Whether several upstreams behind one endpoint can be told apart by this id. */
export function isUpstreamId(id: string): boolean {
  return UPSTREAM_ID.test(id);
}

export interface Prefixed {
  readonly upstream: string;
  readonly name: string;
}

/** `read_file` of `fs` is `fs__read_file`. */
export function prefixName(upstream: string, name: string): string {
  return `${upstream}${SEPARATOR}${name}`;
}

export function splitName(name: string): Prefixed | undefined {
  const at = name.indexOf(SEPARATOR);
  return at <= 0 ? undefined : { upstream: name.slice(0, at), name: name.slice(at + SEPARATOR.length) };
}

/** `test://a` of `fs` is `fs+test://a`: a URI still, and a template still. */
export function prefixUri(upstream: string, uri: string): string {
  return `${upstream}+${uri}`;
}

export function splitUri(uri: string): Prefixed | undefined {
  const at = uri.indexOf('+');
  const colon = uri.indexOf(':');
  return at <= 0 || colon < at ? undefined : { upstream: uri.slice(0, at), name: uri.slice(at + 1) };
}
