import type { Role } from '../../governance/index.ts';

/**
 * Who asks. INVARIANT: made from what was authenticated (a token's hash, a verified certificate, the Unix socket) and
 * from nothing that a request says of itself; `id` is the actor of what the caller does.
 */
export interface Caller {
  /** URI. */
  readonly id: string;
  /** `owner`: this user, on the Unix socket. `anonymous`: whoever calls what is open to all. */
  readonly role: Role | 'owner' | 'anonymous';
  /** The enforcement point it is, for that role. */
  readonly enforcementPoint?: string;
}

export const ANONYMOUS: Caller = Object.freeze({ id: 'urn:writ:anonymous', role: 'anonymous' });

/** SPIFFE ID of a caller that is known by an API token: nobody else's identity may begin so. */
export function tokenCallerId(domain: string, name: string): string {
  return `spiffe://${domain}/caller/${name}`;
}
