import { type Denial, deny, isDenial } from '../denial/index.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import type { NoteSigner, NoteVerifier, SignatureType } from './note-key.ts';
import { decodeUtf8, isKeyName, isNoteText, MAX_NOTE_BYTES } from './note-text.ts';

/** A signature by one of the verifiers a note was opened with. */
export interface VerifiedSignature {
  readonly name: string;
  readonly keyId: number;
  readonly type: SignatureType;
  /** When a cosigner says it signed; absent on a log's own signature. */
  readonly timestampSeconds?: number;
  /** The signature line with its newline: appending it to another copy of the note adds the signature. */
  readonly line: string;
}

export interface OpenedNote {
  /** The signed text with its final newline. */
  readonly text: string;
  /** At most one per verifier, at least one in all. */
  readonly signatures: readonly VerifiedSignature[];
}

interface SignatureLine {
  readonly name: string;
  readonly keyId: number;
  readonly signature: Uint8Array;
  readonly line: string;
}

/** Verifiers must accept 16; each line of a known key costs a verification. */
const MAX_SIGNATURES = 64;

/** The key id, then at least one byte. */
const MIN_SIGNATURE_BYTES = 5;

const PREFIX = '\u2014 ';

/**
 * Signs note text (signed-note, "Format").
 * @throws TypeError when the text is not note text ending in newline, or there is no signer.
 */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  if (!isSignableText(text)) throw new TypeError('note text ends in newline and has no control characters');
  if (signers.length === 0) throw new TypeError('a note has at least one signature');
  return `${text}\n${signers.map((signer) => signatureLine(text, signer)).join('')}`;
}

/** One more signature line, newline included, for text that is already a note's: what a witness answers. */
export function signatureLine(text: string, signer: NoteSigner): string {
  if (!isSignableText(text)) throw new TypeError('note text ends in newline and has no control characters');
  const signature = signer.sign(text);
  const bytes = new Uint8Array(4 + signature.byteLength);
  new DataView(bytes.buffer).setUint32(0, signer.keyId);
  bytes.set(signature, 4);
  return `${PREFIX}${signer.name} ${encodeBase64(bytes)}\n`;
}

/**
 * Opens a note (signed-note, "Signatures"). Signatures of unknown keys are ignored, however well-formed their names;
 * a signature of a known key that doesn't verify denies the whole note, and so does a note no known key signed. Of
 * several signatures by one key the newest timestamp counts, so a note never yields more than one per verifier.
 *
 * @throws TypeError when two verifiers share name and key id, which leaves it undecided whose signature a line is.
 */
export function openNote(note: string | Uint8Array, verifiers: readonly NoteVerifier[]): OpenedNote | Denial {
  const known = new Map<string, NoteVerifier>();
  for (const verifier of verifiers) {
    const identity = identityOf(verifier);
    if (known.has(identity)) throw new TypeError('two verifiers share name and key id');
    known.set(identity, verifier);
  }
  const split = splitNote(note);
  if (isDenial(split)) return split;
  const verified = new Map<string, VerifiedSignature>();
  for (const { name, keyId, signature, line } of split.lines) {
    const identity = identityOf({ name, keyId });
    const verifier = known.get(identity);
    if (verifier === undefined) continue;
    const result = verifier.verify(split.text, signature);
    if (result === undefined) return deny('log.unavailable', 'note signature of a known key does not verify');
    const earlier = verified.get(identity);
    if (earlier !== undefined && (earlier.timestampSeconds ?? 0) >= (result.timestampSeconds ?? 0)) continue;
    verified.set(identity, { name, keyId, type: verifier.type, ...result, line: `${line}\n` });
  }
  if (verified.size === 0) return deny('log.unavailable', 'note is not signed by a known key');
  return { text: split.text, signatures: [...verified.values()] };
}

/**
 * Text and signature lines of a note, unverified: fit for carrying signatures around, never for trusting the text.
 */
export function splitNote(
  input: string | Uint8Array,
): { readonly text: string; readonly lines: readonly SignatureLine[] } | Denial {
  const note = decodeUtf8(input, MAX_NOTE_BYTES);
  if (note === undefined) return deny('log.unavailable', 'note is not UTF-8 or too long');
  if (!isNoteText(note)) return deny('log.unavailable', 'note has control characters');
  const blank = note.lastIndexOf('\n\n');
  if (blank < 0) return deny('log.unavailable', 'note has no blank line before its signatures');
  const text = note.slice(0, blank + 1);
  const rest = note.slice(blank + 2);
  if (!rest.endsWith('\n')) return deny('log.unavailable', 'note does not end in a signature line');
  const parts = rest.slice(0, -1).split('\n', MAX_SIGNATURES + 1);
  if (parts.length > MAX_SIGNATURES) return deny('log.unavailable', 'note has too many signatures');
  const lines: SignatureLine[] = [];
  for (const part of parts) {
    const line = parseSignatureLine(part);
    if (line === undefined) return deny('log.unavailable', 'note has a malformed signature line');
    lines.push(line);
  }
  return { text, lines };
}

function parseSignatureLine(line: string): SignatureLine | undefined {
  if (!line.startsWith(PREFIX)) return undefined;
  const space = line.indexOf(' ', PREFIX.length);
  if (space < 0) return undefined;
  const name = line.slice(PREFIX.length, space);
  const bytes = decodeBase64(line.slice(space + 1));
  if (!isKeyName(name) || bytes === undefined || bytes.byteLength < MIN_SIGNATURE_BYTES) return undefined;
  const keyId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return { name, keyId, signature: bytes.subarray(4), line };
}

function isSignableText(text: string): boolean {
  return text.endsWith('\n') && isNoteText(text);
}

/** Unambiguous because a key name has no space. */
function identityOf(key: { readonly name: string; readonly keyId: number }): string {
  return `${key.keyId} ${key.name}`;
}
