import { type Denial, deny } from '../../denial/index.ts';

/** A request target (RFC 9112 §3.2.1, origin-form) with one reading alone. */
export interface RequestTarget {
  readonly path: string;
  /** Without the question mark; empty where there is none. */
  readonly query: string;
}

const MAX_TARGET_CHARACTERS = 8192;

/**
 * Segments, none of them empty, of `pchar` (RFC 3986) without `;`, which some servers cut a path off at. Encoded in it
 * is what must be, in upper case: some punctuation, and bytes of other characters. Not the separators `/ \ ? # ;`, nor
 * `%` itself, nor a control character, nor what needs no encoding.
 */
const PATH =
  /^(?:\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%(?:2[02]|3[CE]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F]))+)*\/?$/;
const QUERY = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?[\]]|%[0-9A-Fa-f]{2})*$/;

/**
 * Parses a request target as a proxy passes it on, unchanged. INVARIANT: nothing is normalised; what a proxy, the
 * upstream and a policy could read as different paths (`..`, `//`, `%2e`, `%2F`, `%61` for `a`, `;`) is refused, so
 * that what was decided on is what the upstream serves.
 *
 * @returns `request.malformed`
 */
export function parseRequestTarget(target: string): RequestTarget | Denial {
  if (target.length > MAX_TARGET_CHARACTERS) return malformed('is too long');
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  if (path === '' || !PATH.test(path) || !isPlainText(path)) return malformed('is no plain absolute path');
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) {
    return malformed('has dot segments');
  }
  if (mark === -1) return { path, query: '' };
  const query = target.slice(mark + 1);
  // A question mark with nothing behind it would be a second way to ask for no query.
  if (query === '' || !QUERY.test(query)) return malformed('has another query than RFC 3986 knows');
  return { path, query };
}

/** Whether what is encoded is UTF-8, and no control characters of two bytes. */
function isPlainText(path: string): boolean {
  try {
    return !/\p{Cc}/u.test(decodeURIComponent(path));
  } catch {
    return false;
  }
}

function malformed(fault: string): Denial {
  return deny('request.malformed', `the request target ${fault}`);
}
