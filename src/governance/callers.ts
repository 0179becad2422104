import type { CallerAdmitted, CallerDismissed, Role } from './event.ts';
import type { VersionedMap } from './versioned-map.ts';

/** A token that the domain's API accepts. */
export interface ApiToken {
  /** SHA-256 of the token, base64url: the token itself is nowhere but with its caller. */
  readonly hash: string;
  /** URI; the actor of what is done with the token. */
  readonly caller: string;
  readonly role: Role;
  /** Unix seconds. */
  readonly admittedAtSeconds: number;
  readonly expSeconds?: number;
  readonly dismissed: boolean;
}

/** A caller has several tokens while one replaces another. */
const MAX_TOKENS_PER_CALLER = 16;

/** What an admission changes, not yet done, or why it changes nothing. */
export function admission(
  tokens: VersionedMap<ApiToken>,
  { caller, role, hash, exp, at }: CallerAdmitted,
): (() => VersionedMap<ApiToken>) | string {
  if (tokens.get(hash) !== undefined) return 'this token has been admitted before';
  const standing = standingTokens(tokens, caller);
  // One name, one role: else the actor of an event would not tell what it was allowed.
  if (standing.some((token) => token.role !== role)) return `${caller} has another role`;
  if (standing.length >= MAX_TOKENS_PER_CALLER)
    return `${caller} has ${MAX_TOKENS_PER_CALLER} tokens already`;
  const token: ApiToken = {
    ...{ hash, caller, role, admittedAtSeconds: at, dismissed: false },
    ...(exp === undefined ? {} : { expSeconds: exp }),
  };
  return () => tokens.with(hash, Object.freeze(token));
}

/** Without a hash, all tokens of the caller are dismissed. */
export function dismissal(
  tokens: VersionedMap<ApiToken>,
  { caller, hash }: CallerDismissed,
): (() => VersionedMap<ApiToken>) | string {
  const dismissed = standingTokens(tokens, caller).filter(
    (token) => hash === undefined || token.hash === hash,
  );
  if (dismissed.length === 0) return 'no such caller or token is admitted';
  return () =>
    dismissed.reduce(
      (left, token) => left.with(token.hash, Object.freeze({ ...token, dismissed: true })),
      tokens,
    );
}

function standingTokens(tokens: VersionedMap<ApiToken>, caller: string): ApiToken[] {
  return [...tokens.values()].filter((token) => token.caller === caller && !token.dismissed);
}
