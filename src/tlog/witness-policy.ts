import { type Denial, deny, isDenial } from '../denial/index.ts';
import { hashesEqual } from './hash.ts';
import { ED25519, type NoteVerifier, parseVkey } from './note-key.ts';
import { decodeUtf8 } from './note-text.ts';

export interface PolicyWitness {
  /** What groups and the quorum call it; its key's name is another one. */
  readonly name: string;
  readonly verifier: NoteVerifier;
  /** Submission prefix (tlog-witness), where the policy says how to reach it. */
  readonly url?: string;
}

/** Met when `threshold` of its members are; a member is the name of a witness or of a group defined before. */
export interface WitnessGroup {
  readonly threshold: number;
  readonly members: readonly string[];
}

/** Who must have cosigned a checkpoint before it counts (C2SP tlog-policy). */
export interface WitnessPolicy {
  /** Logs the policy speaks of; empty where they are known from elsewhere. */
  readonly logs: readonly NoteVerifier[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: ReadonlyMap<string, WitnessGroup>;
  /** Name of a witness or group; undefined for `quorum none`. */
  readonly quorum: string | undefined;
}

/** Enough for 32 ML-DSA-44 witnesses and their groups. */
export const MAX_POLICY_BYTES = 128 * 1024;
/** Of logs, witnesses and groups each: what tlog-policy recommends to support, and fewer than a note's signature lines. */
const MAX_DEFINITIONS = 32;
const MAX_NAME_CHARACTERS = 256;
const MAX_URL_CHARACTERS = 2048;
const NONE = 'none';

// biome-ignore lint/suspicious/noControlCharactersInRegex: tab and newline are the control characters tlog-policy allows.
const FORBIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f]/;
const THRESHOLD = /^[1-9][0-9]?$/;

/**
 * Parses a policy file (C2SP tlog-policy): `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME K|any|all MEMBER…`,
 * `quorum NAME|none`. Stricter than the specification where it leaves a choice: UTF-8 only, URLs are http or https.
 *
 * @returns `request.malformed`, naming the line, or `request.too_large`.
 */
export function parseWitnessPolicy(input: string | Uint8Array): WitnessPolicy | Denial {
  const text = decodeUtf8(input, MAX_POLICY_BYTES);
  if (text === undefined) return deny('request.too_large', 'witness policy is not UTF-8 or too long');
  // A file that lost its end may still parse, as a weaker policy.
  if (!text.endsWith('\n')) return malformed(text.split('\n').length, 'it does not end in newline');
  const draft = new PolicyDraft();
  for (const [at, line] of text.slice(0, -1).split('\n').entries()) {
    const problem = FORBIDDEN.test(line) ? 'it has a control character' : draft.add(line);
    if (problem !== undefined) return malformed(at + 1, problem);
  }
  return draft.finish();
}

export type QuorumVerdict =
  | { readonly met: true }
  /** What it would take: the quorum's name, with what its groups have and lack. */
  | { readonly met: false; readonly missing: string };

/**
 * Whether verified cosignatures on one checkpoint meet the policy. What counts is a witness's key, by name and key id,
 * and that it signed at a stated time: a cosignature without one (tlog-cosignature allows it) does not say that it saw
 * no larger tree.
 */
export function checkQuorum(
  policy: WitnessPolicy,
  cosignatures: readonly {
    readonly name: string;
    readonly keyId: number;
    readonly timestampSeconds?: number;
  }[],
): QuorumVerdict {
  if (policy.quorum === undefined) return { met: true };
  const met = new Set<string>();
  for (const { name, verifier } of policy.witnesses) {
    const isBy = cosignatures.some(
      (signature) =>
        signature.name === verifier.name &&
        signature.keyId === verifier.keyId &&
        (signature.timestampSeconds ?? 0) > 0,
    );
    if (isBy) met.add(name);
  }
  // Members are defined before their group, so one pass in that order decides.
  for (const [name, { threshold, members }] of policy.groups) {
    if (members.filter((member) => met.has(member)).length >= threshold) met.add(name);
  }
  return met.has(policy.quorum)
    ? { met: true }
    : { met: false, missing: describeMissing(policy, policy.quorum, met) };
}

/** `X (has 1 of 2; missing: w2, w3)`, groups within it likewise. */
function describeMissing(policy: WitnessPolicy, name: string, met: ReadonlySet<string>): string {
  const group = policy.groups.get(name);
  if (group === undefined) return name;
  const unmet = group.members.filter((member) => !met.has(member));
  const has = group.members.length - unmet.length;
  const missing = unmet.map((member) => describeMissing(policy, member, met)).join(', ');
  return `${name} (has ${has} of ${group.threshold}; missing: ${missing})`;
}

/** A policy under construction; each method says what is wrong with its line, if anything is. */
class PolicyDraft {
  readonly #logs: NoteVerifier[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  readonly #groups = new Map<string, WitnessGroup>();
  readonly #names = new Set<string>([NONE]);
  readonly #members = new Set<string>();
  #quorum: string | undefined;

  add(line: string): string | undefined {
    const trimmed = line.replace(/^[ \t]+|[ \t]+$/g, '');
    if (trimmed === '' || trimmed.startsWith('#')) return undefined;
    const [keyword, ...items] = trimmed.split(/[ \t]+/);
    switch (keyword) {
      case 'log':
        return this.#addLog(items);
      case 'witness':
        return this.#addWitness(items);
      case 'group':
        return this.#addGroup(items);
      case 'quorum':
        return this.#setQuorum(items);
      default:
        return 'it is neither log, witness, group nor quorum';
    }
  }

  finish(): WitnessPolicy | Denial {
    if (this.#quorum === undefined) return deny('request.malformed', 'witness policy has no quorum line');
    const quorum = this.#quorum === NONE ? undefined : this.#quorum;
    return { logs: this.#logs, witnesses: this.#witnesses, groups: this.#groups, quorum };
  }

  #addLog([vkey, url, ...rest]: string[]): string | undefined {
    if (vkey === undefined || rest.length > 0) return 'it is not "log VKEY [URL]"';
    if (this.#logs.length === MAX_DEFINITIONS) return `it has more than ${MAX_DEFINITIONS} logs`;
    const verifier = parseVkey(vkey);
    if (isDenial(verifier)) return verifier.detail;
    if (verifier.type !== ED25519) return 'its key is not a log key';
    if (this.#logs.some((other) => isSameKey(other, verifier))) return 'its key is already listed';
    if (url !== undefined && !isUrl(url)) return 'its URL is not one';
    this.#logs.push(verifier);
    return undefined;
  }

  #addWitness([name, vkey, url, ...rest]: string[]): string | undefined {
    if (name === undefined || vkey === undefined || rest.length > 0) {
      return 'it is not "witness NAME VKEY [URL]"';
    }
    if (this.#witnesses.length === MAX_DEFINITIONS) return `it has more than ${MAX_DEFINITIONS} witnesses`;
    const verifier = parseVkey(vkey);
    if (isDenial(verifier)) return verifier.detail;
    if (verifier.type === ED25519) return 'its key is a log key, not a cosigner key';
    // INVARIANT: one key counts once, under whatever names (tlog-policy, "Public key representation").
    if (this.#witnesses.some((other) => isSameKey(other.verifier, verifier))) {
      return 'its key is already listed';
    }
    if (url !== undefined && !isUrl(url)) return 'its URL is not an http or https one';
    const problem = this.#define(name);
    if (problem !== undefined) return problem;
    this.#witnesses.push({ name, verifier, ...(url === undefined ? {} : { url }) });
    return undefined;
  }

  #addGroup([name, count, ...members]: string[]): string | undefined {
    if (name === undefined || count === undefined || members.length === 0) {
      return 'it is not "group NAME K|any|all MEMBER…"';
    }
    if (this.#groups.size === MAX_DEFINITIONS) return `it has more than ${MAX_DEFINITIONS} groups`;
    for (const member of members) {
      if (member === NONE || !this.#names.has(member)) return 'a member is not defined on a line before';
      // INVARIANT: a witness contributes in one way only (tlog-policy, "Defining a witness group").
      if (this.#members.has(member)) return 'a member is already a member of a group';
      this.#members.add(member);
    }
    const threshold = thresholdOf(count, members.length);
    if (threshold === undefined) return `its threshold is not any, all or from 1 to ${members.length}`;
    const problem = this.#define(name);
    if (problem !== undefined) return problem;
    this.#groups.set(name, { threshold, members });
    return undefined;
  }

  #setQuorum([name, ...rest]: string[]): string | undefined {
    if (name === undefined || rest.length > 0) return 'it is not "quorum NAME|none"';
    if (this.#quorum !== undefined) return 'it is a second quorum line';
    if (!this.#names.has(name)) return 'its quorum is not defined on a line before';
    this.#quorum = name;
    return undefined;
  }

  #define(name: string): string | undefined {
    if (name.length > MAX_NAME_CHARACTERS) return 'its name is too long';
    if (this.#names.has(name)) return name === NONE ? 'its name is reserved' : 'its name is already defined';
    this.#names.add(name);
    return undefined;
  }
}

function thresholdOf(text: string, count: number): number | undefined {
  if (text === 'any') return 1;
  if (text === 'all') return count;
  if (!THRESHOLD.test(text)) return undefined;
  const threshold = Number(text);
  return threshold <= count ? threshold : undefined;
}

function isSameKey({ key: a }: NoteVerifier, { key: b }: NoteVerifier): boolean {
  return hashesEqual(a.bytes, b.bytes);
}

function isUrl(text: string): boolean {
  if (text.length > MAX_URL_CHARACTERS) return false;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return false;
  return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}

function malformed(line: number, problem: string): Denial {
  return deny('request.malformed', `witness policy line ${line}: ${problem}`);
}
