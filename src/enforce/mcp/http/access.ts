import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface AccessOptions {
  /** `host:port` values that the endpoint is reached under, lower case. */
  readonly hosts: ReadonlySet<string>;
  /** Origins whose pages may call, besides those of `hosts`; lower case. */
  readonly origins?: ReadonlySet<string>;
  /** Bearer tokens, any of which opens; none: whoever reaches the port may call. */
  readonly tokens?: readonly string[];
}

/** Who calls, as far as sessions are kept apart; a refusal otherwise. */
export type Access =
  | { readonly principal: string }
  | { readonly refused: 'host' | 'origin' | 'token'; readonly status: 401 | 403 };

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const NOBODY = 'anyone';

/**
 * Who may talk to the endpoint at all. A page in somebody's browser is kept out by `Host` (DNS rebinding: its name leads
 * here) and by `Origin` (MCP, Streamable HTTP, Security); it says nothing of what may be called.
 */
export class AccessRules {
  readonly #options: AccessOptions;
  readonly #tokens: readonly Buffer[];

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#tokens = (options.tokens ?? []).map(digest);
  }

  get needsToken(): boolean {
    return this.#tokens.length > 0;
  }

  /** Headers by which a browser lets an allowed page of another origin read the answer (Fetch, CORS protocol). */
  corsHeaders({ headers }: IncomingMessage): Readonly<Record<string, string>> {
    const { origin } = headers;
    if (origin === undefined || this.#options.origins?.has(origin.toLowerCase()) !== true) return {};
    return {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Methods': 'GET, POST, DELETE',
      'Access-Control-Allow-Headers':
        'Authorization, Content-Type, Last-Event-ID, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id',
      'Access-Control-Expose-Headers': 'Mcp-Session-Id, WWW-Authenticate',
      Vary: 'Origin',
    };
  }

  check({ headers }: IncomingMessage): Access {
    const { hosts, origins } = this.#options;
    const { host, origin, authorization } = headers;
    if (host === undefined || !hosts.has(host.toLowerCase())) return { refused: 'host', status: 403 };
    if (origin !== undefined && !origins?.has(origin.toLowerCase()) && !hosts.has(hostOf(origin))) {
      return { refused: 'origin', status: 403 };
    }
    if (this.#tokens.length === 0) return { principal: NOBODY };
    const token = BEARER.exec(authorization ?? '')?.[1];
    const presented = digest(token ?? '');
    // Every token is compared, and in constant time: how long it takes says nothing of them.
    let principal: string | undefined;
    for (const known of this.#tokens) {
      if (timingSafeEqual(known, presented)) principal = known.toString('base64url');
    }
    return principal === undefined || token === undefined ? { refused: 'token', status: 401 } : { principal };
  }
}

/** The authority of an origin that is one; the empty string otherwise (`null`, other schemes). */
function hostOf(origin: string): string {
  return /^https?:\/\/([^/?#@\\]+)$/.exec(origin.toLowerCase())?.[1] ?? '';
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
