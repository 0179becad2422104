/**
 * A name as one segment of a URI's path: every octet but `A–Z a–z 0–9 - _ . ~` is percent-encoded with upper-case digits
 * (the percent sign itself included), so two names never share a segment and none can leave its place.
 *
 * @param name well-formed Unicode, else TypeError; compared by code points, without normalisation.
 */
export function encodeUriSegment(name: string): string {
  if (!name.isWellFormed()) throw new TypeError('name has a lone surrogate');
  // Dot segments would vanish if anything ever normalised the identifier as a URI (RFC 3986 §5.2.4).
  if (name === '.' || name === '..') return name.replaceAll('.', '%2E');
  return encodeURIComponent(name).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
