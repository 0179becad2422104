/**
 * Version of the table below. A receipt names it, so that replaying it under other detectors is not taken for a lie:
 * whoever changes what is detected counts it up.
 */
export const DETECTORS_VERSION = 1;

interface Detector {
  readonly id: string;
  readonly finds: (text: string) => boolean;
}

/**
 * Why a table of our own: a receipt is made synchronously, between decision and commit, and made again on replay. Kept
 * scanners (secretlint's recommended rules) answer asynchronously, take 0.3 ms a string, and know tokens by their
 * vendor's format only: passwords, bearer tokens and JWTs pass them.
 *
 * INVARIANT: every pattern is linear in its text (no unbounded repetition before another one), and needs fewer than
 * `MAX_SECRET_START` characters to match, so that a secret cut short is still known.
 */
const PATTERNS: Readonly<Record<string, RegExp>> = {
  'private-key': /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File|AGE-SECRET-KEY-1/,
  jwt: /\beyJ[A-Za-z0-9_-]{16}/,
  'aws-key': /\b(?:AKIA|ASIA|ABIA|ACCA|AROA)[A-Z0-9]{16}/,
  'github-token': /\b(?:gh[pousr]_[A-Za-z0-9]{20}|github_pat_[A-Za-z0-9_]{20})/,
  'gitlab-token': /\bgl(?:pat|ptt|dt|rt|soat|cbt|ft|imt|agent|oas)-[A-Za-z0-9_-]{16}/,
  'slack-token': /\bxox[a-z]-[A-Za-z0-9-]{10}|\bxapp-\d-[A-Z0-9]{8}|hooks\.slack\.com\/services\//,
  'google-key': /\bAIza[A-Za-z0-9_-]{30}|\bya29\.[A-Za-z0-9_-]{16}|\bGOCSPX-[A-Za-z0-9_-]{16}/,
  'stripe-key': /\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10}|\bwhsec_[A-Za-z0-9]{16}/,
  'model-api-key': /\bsk-[A-Za-z0-9_-]{16}|\bhf_[A-Za-z0-9]{20}|\bxai-[A-Za-z0-9]{20}/,
  'registry-token': /\bnpm_[A-Za-z0-9]{30}|\bpypi-[A-Za-z0-9_-]{30}|\bdckr_pat_[A-Za-z0-9_-]{16}/,
  'service-token':
    /\bSG\.[A-Za-z0-9_-]{16}|\bhv[sb]\.[A-Za-z0-9_-]{20}|\bdop_v1_[a-f0-9]{32}|\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{24}/,
  'url-credentials': /:\/\/(?:[^\s/?#@:]{0,128}:[^\s/?#@]{1,128}|[^\s/?#@]{16,128})@/,
  authorization:
    /\bbearer\s{1,8}[A-Za-z0-9._~+/=-]{8}|\bbasic\s{1,8}[A-Za-z0-9+/]{8,128}=|\bauthorization["']?\s{0,8}[:=]/i,
  assignment:
    /(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?[\\"']{0,4}(?:\s{0,8}[:=>]\s{0,8}|\s{1,8}is\s{1,8})[\\"']{0,4}[^\s"',;\\]{3}/i,
  'command-option':
    /(?:^|\s)--?[\w-]{0,40}(?:passw(?:or)?d|passphrase|secret|token|api-?key|credential)s?[\s=]{1,8}\S/i,
};

/** Names of members that hold secrets, compared as letters and digits only. */
const SECRET_NAME =
  /passw|passphrase|passcode|pwd|secret|token|apikey|accesskey|privatekey|signingkey|encryptionkey|masterkey|sharedkey|sshkey|accountkey|credential|authorization|^auth$|cookie|sessionid|sessionkey|bearer|jwt|^otp$|^pin$|^cvv|^cvc|totp|recoverycode|connectionstring|^dsn$/;

/** Longest start of a secret that a detector needs. */
export const MAX_SECRET_START = 600;

const DETECTORS: readonly Detector[] = [
  ...Object.entries(PATTERNS).map(([id, pattern]) => ({ id, finds: (text: string) => pattern.test(text) })),
  { id: 'payment-card', finds: hasPaymentCard },
  { id: 'random', finds: hasRandomRun },
];

/** What everything that decides about detection is made of, for the test that pins it to its version. */
export const DETECTORS_TEXT = [...Object.entries(PATTERNS), SECRET_NAME].map(String).join('\n');

/** The first detector that knows a secret in a text, by id; the text may be cut off behind it. */
export function detectSecret(text: string): string | undefined {
  return DETECTORS.find(({ finds }) => finds(text))?.id;
}

/** Whether what a name stands for is secret, going by the name. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase().replace(/[^a-z0-9]/g, ''));
}

/** 13 to 19 digits, alone or in groups, that pass the check of ISO/IEC 7812 (Luhn). */
function hasPaymentCard(text: string): boolean {
  for (const [run] of text.matchAll(/\d(?:[ -]?\d){12,18}(?!\d)/g)) {
    const digits = run.replace(/\D/g, '');
    let sum = 0;
    for (let index = 0; index < digits.length; index += 1) {
      const digit = Number(digits[digits.length - 1 - index]);
      const doubled = index % 2 === 1 ? digit * 2 : digit;
      sum += doubled > 9 ? doubled - 9 : doubled;
    }
    if (sum % 10 === 0 && !/^(\d)\1*$/.test(digits)) return true;
  }
  return false;
}

const MIN_HEX_CHARACTERS = 32;
const MIN_RUN_CHARACTERS = 20;
const MIN_ENTROPY_BITS = 3.5;

/** Runs that people don't write: hex of 128 bits and more, and mixed letters and digits with little repetition. */
function hasRandomRun(text: string): boolean {
  for (const [run] of text.matchAll(/[A-Za-z0-9+_=-]{20,}/g)) {
    if (/^[0-9a-f]+$/i.test(run) && run.length >= MIN_HEX_CHARACTERS) return true;
    const isMixed = /[a-z]/.test(run) && /[A-Z]/.test(run) && /\d/.test(run);
    if (isMixed && run.length >= MIN_RUN_CHARACTERS && entropyOf(run) >= MIN_ENTROPY_BITS) return true;
  }
  return false;
}

/** Shannon entropy, bits a character. */
function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
