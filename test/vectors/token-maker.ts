import { createHash } from 'node:crypto';
import { canonicalize, encodeBase64url, type JsonObject, type JsonValue } from '../../src/codec/index.ts';
import { SigningKey } from '../../src/key/index.ts';

// Makes tokens and proofs that the library refuses to make: every claim, header and byte can be set. Deterministic.

/** 2026-01-01T16:00:00Z, a Thursday. */
export const NOW = 1_767_283_200;
export const ISSUER = 'https://issuer.example';
export const GATEWAY = 'https://gateway.example';
export const READ = 'read_file';

function keyOf(byte: number): SigningKey {
  return SigningKey.fromSeed(new Uint8Array(32).fill(byte));
}

export const KEYS = {
  issuer: keyOf(0x11),
  otherIssuer: keyOf(0x12),
  agent: keyOf(0x21),
  worker: keyOf(0x22),
  helper: keyOf(0x23),
  stranger: keyOf(0x66),
} as const;

/** One key per delegation depth, root's holder first. */
export const HOLDERS: readonly SigningKey[] = [
  KEYS.agent,
  KEYS.worker,
  KEYS.helper,
  ...Array.from({ length: 10 }, (_, index) => keyOf(0x30 + index)),
];

/** `undefined` leaves a member out. */
export type Overrides = { readonly [member: string]: JsonValue | undefined };

export interface Making {
  readonly signer?: SigningKey;
  readonly holder?: SigningKey;
  readonly header?: Overrides;
  /** Changes the payload's text before it is signed. */
  readonly payload?: (text: string) => string;
  /** Changes the compact form after it was signed. */
  readonly compact?: (compact: string) => string;
}

export interface Made {
  readonly compact: string;
  /** base64url SHA-256 of the signing input. */
  readonly hash: string;
  readonly claims: JsonObject;
  readonly holder: SigningKey;
}

export function capability(tools: JsonObject): JsonObject {
  return { type: 'attenuating_agent_token', tools };
}

export const TOOLS: JsonObject = {
  [READ]: { path: { constraint_type: 'one_of', values: ['/data/a', '/data/b'] } },
};
export const NARROWED: JsonObject = { [READ]: { path: { constraint_type: 'exact', value: '/data/a' } } };

/** Numbers tokens and proofs, so that the same sequence of calls gives the same bytes. */
export class TokenMaker {
  #count = 0;

  root(overrides: Overrides = {}, making: Making = {}): Made {
    const holder = making.holder ?? KEYS.agent;
    const claims = {
      jti: this.#nextId(),
      iss: ISSUER,
      iat: NOW - 300,
      exp: NOW + 3300,
      cnf: { jwk: { ...holder.publicKey.jwk } },
      del_depth: 0,
      del_max_depth: 3,
      authorization_details: [capability(TOOLS)],
    };
    return make(claims, overrides, holder, { signer: KEYS.issuer, typ: 'aat+jwt', ...making });
  }

  child(parent: Made, overrides: Overrides = {}, making: Making = {}): Made {
    const depth = Number(parent.claims.del_depth) + 1;
    const holder = making.holder ?? HOLDERS[depth] ?? KEYS.helper;
    const claims = {
      jti: this.#nextId(),
      iss: parent.holder.publicKey.thumbprintUri,
      iat: NOW - 200,
      exp: NOW + 3000,
      cnf: { jwk: { ...holder.publicKey.jwk } },
      del_depth: depth,
      del_max_depth: parent.claims.del_max_depth ?? 3,
      par_hash: parent.hash,
      authorization_details: [capability(NARROWED)],
    };
    return make(claims, overrides, holder, { signer: parent.holder, typ: 'aat+jwt', ...making });
  }

  proof(leaf: Made, tool: string, args: JsonObject, overrides: Overrides = {}, making: Making = {}): string {
    const claims = {
      jti: this.#nextId(),
      iat: NOW,
      aat_id: leaf.claims.jti ?? '',
      aat_hash: leaf.hash,
      aat_tool: tool,
      aat_aud: GATEWAY,
      hta: args,
    };
    return make(claims, overrides, leaf.holder, { signer: leaf.holder, typ: 'aat-pop+jwt', ...making })
      .compact;
  }

  #nextId(): string {
    this.#count += 1;
    return `019b7a6c-0000-7000-8000-${this.#count.toString(16).padStart(12, '0')}`;
  }
}

function withOverrides(defaults: JsonObject, overrides: Overrides): JsonObject {
  const merged: Record<string, JsonValue> = { ...defaults };
  for (const [name, value] of Object.entries(overrides)) {
    if (value === undefined) delete merged[name];
    else merged[name] = value;
  }
  return merged;
}

function make(
  defaults: JsonObject,
  overrides: Overrides,
  holder: SigningKey,
  making: Making & { readonly signer: SigningKey; readonly typ: string },
): Made {
  const claims = withOverrides(defaults, overrides);
  const header = withOverrides({ alg: 'Ed25519', typ: making.typ }, making.header ?? {});
  const payload = (making.payload ?? ((text: string) => text))(canonicalize(claims));
  const signingInput = `${segment(canonicalize(header))}.${segment(payload)}`;
  const signed = `${signingInput}.${encodeBase64url(making.signer.sign(Buffer.from(signingInput)))}`;
  const compact = (making.compact ?? ((text: string) => text))(signed);
  const hash = createHash('sha256').update(signingInput).digest('base64url');
  return { compact, hash, claims, holder };
}

function segment(text: string): string {
  return encodeBase64url(Buffer.from(text));
}
