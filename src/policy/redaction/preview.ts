import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { DETECTORS_VERSION, detectSecret, isSecretName, MAX_SECRET_START } from './detectors.ts';
import { ANY, formatPointer, type Pointer } from './pointer.ts';
import type { Disclosure } from './rules.ts';
import { REDACTED, withoutSecrets } from './secret-members.ts';

/** What a receipt shows of arguments or of a result, in clear. */
export interface Preview {
  /** Version of the detectors it passed. */
  readonly detectors: number;
  /** Values by JSON pointer. Strings are cut after 256 characters and have no control characters. */
  readonly shown: Readonly<Record<string, string | number | boolean | null>>;
  /** What is not shown, by JSON pointer: the detector that found it, `name`, `unreadable`, or `secret` where a rule says so. */
  readonly withheld?: Readonly<Record<string, string>>;
  /** There is more than fits, or what cannot be shown as it is. */
  readonly truncated?: true;
}

/** Bounds of one preview (`spec/policy.md`, "Redaction"). */
export const PREVIEW_LIMITS = {
  /** The whole, as JSON. */
  maxBytes: 2048,
  /** One string. */
  maxCharacters: 256,
  maxPointerCharacters: 128,
  maxDepth: 8,
  /** An object with more members is not looked into: its members would have to be sorted first. */
  maxMembers: 256,
} as const;

export interface Detection {
  readonly detectSecret: (text: string) => string | undefined;
  readonly isSecretName: (name: string) => boolean;
}

/** Characters that a terminal obeys, that reorder text, or that hide in it. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;

/** Much of a string may be invisible; beyond this nobody looks. */
const MAX_LOOKED_AT = PREVIEW_LIMITS.maxCharacters + 4 * MAX_SECRET_START;

/**
 * What a redaction rule lets be shown of a value; undefined where that is nothing. Deterministic: the same value, with its
 * members in whatever order, gives the same preview. Bounded in time by what is shown, not by what there is.
 *
 * INVARIANT: fails closed. Where detection throws nothing is shown, and what it finds takes its whole string along.
 */
export function previewOf(
  value: JsonObject,
  { show, secret }: Disclosure,
  detection: Detection = { detectSecret, isSecretName },
): Preview | undefined {
  if (show === 'digest') return undefined;
  try {
    const writer = new PreviewWriter(detection);
    const { args: open } = withoutSecrets(value, secret);
    if (show === 'preview') writer.walk(open, [], true);
    else for (const pointer of show) writer.find(open, pointer, 0, []);
    return writer.preview();
  } catch {
    return undefined;
  }
}

class PreviewWriter {
  readonly #detection: Detection;
  readonly #shown: Record<string, string | number | boolean | null> = {};
  readonly #withheld: Record<string, string> = {};
  #bytes = JSON.stringify({ detectors: DETECTORS_VERSION, shown: {}, withheld: {}, truncated: true }).length;
  #truncated = false;
  #isFull = false;

  constructor(detection: Detection) {
    this.#detection = detection;
  }

  preview(): Preview {
    return {
      detectors: DETECTORS_VERSION,
      shown: this.#shown,
      ...(Object.keys(this.#withheld).length === 0 ? {} : { withheld: this.#withheld }),
      ...(this.#truncated ? { truncated: true as const } : {}),
    };
  }

  /** Shows what a pointer names, of which there may be nothing. */
  find(value: JsonValue, pointer: Pointer, depth: number, at: Pointer): void {
    const segment = pointer[depth];
    if (segment === undefined) {
      this.walk(value, at, false);
      return;
    }
    if (segment !== ANY) {
      const child = childOf(value, segment);
      // What is named is called by its name on purpose: its own name says nothing against it.
      if (child !== undefined) this.find(child, pointer, depth + 1, [...at, segment]);
      return;
    }
    for (const name of this.#childNames(value)) {
      if (this.#isFull) return;
      this.find(childOf(value, name) ?? null, pointer, depth + 1, [...at, name]);
    }
  }

  /** @param judgeName whether the name of the value itself is looked at. */
  walk(value: JsonValue, at: Pointer, judgeName: boolean): void {
    if (this.#isFull) return;
    const key = formatPointer(at);
    if (!this.#isNameable(key) || at.length > PREVIEW_LIMITS.maxDepth) {
      this.#truncated = true;
      return;
    }
    const name = at.at(-1);
    if (judgeName && name !== undefined && this.#detection.isSecretName(name)) {
      this.#write(this.#withheld, key, 'name');
      return;
    }
    if (typeof value === 'object' && value !== null) {
      for (const child of this.#childNames(value)) {
        if (this.#isFull) return;
        this.walk(childOf(value, child) ?? null, [...at, child], true);
      }
      return;
    }
    this.#showScalar(key, value);
  }

  #showScalar(key: string, value: string | number | boolean | null): void {
    if (value === REDACTED) {
      this.#write(this.#withheld, key, 'secret');
      return;
    }
    const looked = String(value).slice(0, MAX_LOOKED_AT);
    const text = looked.toWellFormed().replace(INVISIBLE, '');
    // Both as it came and as it will be read: what is invisible may stand within a secret, or keep two words apart.
    const found =
      (isPadded(value, text) ? 'unreadable' : undefined) ??
      this.#detection.detectSecret(text) ??
      (text === looked ? undefined : this.#detection.detectSecret(looked));
    if (found !== undefined) {
      this.#write(this.#withheld, key, found);
      return;
    }
    if (typeof value !== 'string') {
      this.#write(this.#shown, key, value);
      return;
    }
    const { maxCharacters } = PREVIEW_LIMITS;
    const cut = text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1).toWellFormed()}…`;
    if (cut !== value) this.#truncated = true;
    this.#write(this.#shown, key, cut);
  }

  /** Names of members are the caller's text as well: only plain ones are repeated. */
  #isNameable(key: string): boolean {
    return (
      key.length <= PREVIEW_LIMITS.maxPointerCharacters &&
      key.isWellFormed() &&
      key.search(INVISIBLE) < 0 &&
      this.#detection.detectSecret(key) === undefined
    );
  }

  #childNames(value: JsonValue): readonly string[] {
    if (Array.isArray(value)) {
      const items = Math.min(value.length, PREVIEW_LIMITS.maxMembers);
      if (items < value.length) this.#truncated = true;
      return Array.from({ length: items }, (_, index) => String(index));
    }
    if (!isJsonObject(value)) return [];
    const names = Object.keys(value);
    if (names.length <= PREVIEW_LIMITS.maxMembers) return names.sort();
    this.#truncated = true;
    return [];
  }

  #write<T extends JsonValue>(into: Record<string, T>, key: string, value: T): void {
    if (Object.hasOwn(into, key)) return;
    const bytes = Buffer.byteLength(JSON.stringify({ [key]: value }));
    if (this.#bytes + bytes > PREVIEW_LIMITS.maxBytes) {
      this.#truncated = true;
      this.#isFull = true;
      return;
    }
    this.#bytes += bytes;
    into[key] = value;
  }
}

/** Whether so much of a text is invisible that a secret could go on where nobody looks. */
function isPadded(value: unknown, visible: string): boolean {
  return (
    typeof value === 'string' &&
    value.length > MAX_LOOKED_AT &&
    visible.length < PREVIEW_LIMITS.maxCharacters + MAX_SECRET_START
  );
}

function childOf(value: JsonValue, segment: string): JsonValue | undefined {
  if (Array.isArray(value)) return /^(?:0|[1-9]\d{0,8})$/.test(segment) ? value[Number(segment)] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, segment) ? value[segment] : undefined;
}
