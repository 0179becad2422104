import type { JsonObject } from '../../codec/index.ts';
import type { Denial } from '../../denial/index.ts';
import type { Candidate } from './candidate.ts';
import type { Constraint } from './constraint.ts';
import { acceptsEveryListedValue } from './listed-values.ts';
import { malformed, memberOf, type TypeDefinition } from './parsing.ts';
import type { Work } from './work.ts';

export const MAX_URL_CHARACTERS = 8192;

/** The schemes whose authority every parser reads alike, with their default ports (WHATWG URL §4.2, without `file`). */
const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
  ['ws', 80],
  ['wss', 443],
  ['ftp', 21],
]);

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/**
 * `url_containment`: a URL of one origin, at or beneath a path (`spec/artifact-constraints.md`). Query and fragment are
 * not restricted. What URL parsers disagree about is refused rather than normalised.
 */
export class UrlContainment implements Constraint {
  readonly type = 'url_containment';
  readonly origin: string;
  readonly path: string;

  constructor(parts: UrlParts) {
    this.origin = originOf(parts);
    this.path = parts.path;
  }

  accepts({ value }: Candidate): boolean {
    if (typeof value !== 'string') return false;
    const parts = parseStrictUrl(value);
    return parts !== undefined && originOf(parts) === this.origin && isBeneath(this.path, parts.path);
  }

  subsumes(child: Constraint, work: Work): boolean {
    if (child instanceof UrlContainment) {
      return child.origin === this.origin && isBeneath(this.path, child.path);
    }
    return acceptsEveryListedValue(this, child, work);
  }
}

export const URL_CONTAINMENT: TypeDefinition = {
  members: ['scheme', 'host', 'port', 'path'],
  parse: parseUrlContainment,
};

function parseUrlContainment(json: JsonObject): Constraint | Denial {
  const scheme = memberOf(json, 'scheme');
  const host = memberOf(json, 'host');
  const port = memberOf(json, 'port');
  const path = Object.hasOwn(json, 'path') ? json.path : '/';
  if (typeof scheme !== 'string' || !DEFAULT_PORTS.has(scheme)) {
    return malformed('url_containment.scheme must be http, https, ws, wss or ftp');
  }
  if (typeof host !== 'string') return malformed('url_containment.host must be a string');
  if (port !== undefined && (typeof port !== 'number' || !Number.isInteger(port))) {
    return malformed('url_containment.port must be an integer');
  }
  if (typeof path !== 'string') return malformed('url_containment.path must be a string');
  const parts = parseStrictUrl(`${scheme}://${host}${port === undefined ? '' : `:${port}`}${path}`);
  if (parts === undefined || parts.host !== host || parts.path !== path) {
    return malformed('url_containment is not made of a canonical host, a port and an absolute path');
  }
  return new UrlContainment(parts);
}

/** Scheme, host, port; then nothing, or a path and perhaps a query and a fragment. Each alternative is linear. */
const URL_TEXT =
  /^([A-Za-z]+):\/\/([\w.-]+|\[[\dA-Fa-f:.]+\])(?::([1-9]\d{0,4}))?(?:(\/(?:[\w.~!$&'()*+,;=:@/-]|%[\dA-Fa-f]{2})*)(?:\?[!-"$-[\]-~]*)?(?:#[!-"$-[\]-~]*)?)?$/;

/** A dot, slash, backslash or control character that some later decoding, or a second one, would bring to light. */
const HIDDEN_IN_PATH = /%(?:25)*(?:2e|2f|5c|7f|[01][\dA-Fa-f])/i;

/** What servers read as a dot segment: also one with a path parameter (`..;x`). */
const DOT_SEGMENT = /\/\.{1,2}(?=[/;]|$)/;

function parseStrictUrl(text: string): UrlParts | undefined {
  if (text.length > MAX_URL_CHARACTERS) return undefined;
  const [, schemeText, hostText, portText, path = '/'] = URL_TEXT.exec(text) ?? [];
  if (schemeText === undefined || hostText === undefined) return undefined;
  const scheme = schemeText.toLowerCase();
  const host = hostText.toLowerCase();
  const defaultPort = DEFAULT_PORTS.get(scheme);
  if (defaultPort === undefined || HIDDEN_IN_PATH.test(path) || DOT_SEGMENT.test(path)) return undefined;
  if (!decodesToText(path)) return undefined;
  // The host must already be what WHATWG parsing makes of it: `0x7f.1` and `[0:0::1]` are refused, not resolved.
  if (URL.parse(text)?.hostname !== host) return undefined;
  return { scheme, host, port: portText === undefined ? defaultPort : Number(portText), path };
}

/** Percent-encoded bytes must be UTF-8: a lenient decoder reads the overlong `%c0%ae` as a dot. */
function decodesToText(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function originOf({ scheme, host, port }: UrlParts): string {
  return `${scheme}://${host}:${port}`;
}

/** By whole segments: `/a` holds `/a` and `/a/b`, `/a/` holds only what follows the slash. */
function isBeneath(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);
}
