/** Segments of a JSON pointer (RFC 6901). `*` as a whole segment stands for every member and every item. */
export type Pointer = readonly string[];

const MAX_POINTER_CHARACTERS = 512;
const MAX_SEGMENTS = 16;

/** Undefined for what is no JSON pointer, for the empty one (it would name everything), and for one without bounds. */
export function parsePointer(text: string): Pointer | undefined {
  if (!text.startsWith('/') || text.length > MAX_POINTER_CHARACTERS || !text.isWellFormed()) return undefined;
  if (/~(?![01])/.test(text)) return undefined;
  const segments = text
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
  return segments.length <= MAX_SEGMENTS ? segments : undefined;
}

export function formatPointer(segments: Pointer): string {
  return segments.map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export const ANY = '*';
