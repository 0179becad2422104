const MAX_URI_CHARACTERS = 2048;

/** A scheme and the characters RFC 3986 allows (§2, §3.1). Linear: no two alternatives share a first character. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;

/** Whether a string is formatted as an absolute URI (RFC 3986 §3). */
export function isUri(text: string): boolean {
  return text.length <= MAX_URI_CHARACTERS && URI.test(text);
}
