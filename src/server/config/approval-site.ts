import { isIP } from 'node:net';

/** What of the configuration says where people approve. */
interface SiteConfig {
  readonly approvals: {
    readonly consoleUrl?: string | undefined;
    readonly relyingPartyId?: string | undefined;
    readonly relyingPartyName: string;
  };
  readonly listen?: { readonly publicUrl?: string | undefined } | undefined;
}

/** Origins and hosts that a credential can be recorded with (spec/governance.md §5): names and IPv4 addresses. */
const HOST = /^[a-z0-9.-]+$/;

/** The site that approvers use: what credentials are made for, and the one origin they are used on. */
export interface RelyingParty {
  readonly rpId: string;
  readonly name: string;
  readonly origin: string;
}

/** Base URL of the pages where people approve, without a slash at its end; undefined where none is configured. */
export function approvalsBaseUrl({ approvals, listen }: SiteConfig): string | undefined {
  const url = approvals.consoleUrl ?? listen?.publicUrl;
  if (url === undefined) return undefined;
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`.replace(/\/+$/, '');
}

/** Undefined where no URL is configured that credentials could be made for. */
export function relyingPartyOf(config: SiteConfig): RelyingParty | undefined {
  const url = approvalsBaseUrl(config);
  if (url === undefined) return undefined;
  const { origin, hostname } = new URL(url);
  if (!HOST.test(hostname)) return undefined;
  const { relyingPartyId: rpId = hostname, relyingPartyName: name } = config.approvals;
  return { rpId, name, origin };
}

/** What is wrong with `relyingPartyId`; undefined where browsers would take it (WebAuthn Level 3 §5.1.3). */
export function findRelyingPartyProblem(config: SiteConfig): string | undefined {
  const { relyingPartyId } = config.approvals;
  if (relyingPartyId === undefined) return undefined;
  const site = relyingPartyOf(config);
  if (site === undefined) return 'is for a URL that is not set: approvals.consoleUrl or listen.publicUrl';
  const { hostname } = new URL(site.origin);
  const isAbove =
    isIP(hostname) === 0 && relyingPartyId.includes('.') && hostname.endsWith(`.${relyingPartyId}`);
  return hostname === relyingPartyId || isAbove ? undefined : `is neither ${hostname} nor a domain above it`;
}
