const MAX_CHARACTERS = 32_768;
const PART = /^([A-Za-z0-9][A-Za-z0-9._~-]{0,63}):(\d{1,15})$/;

/** The governance log's name among positions: no execution log can have it. */
export const GOVERNANCE = '@governance';

/** How many entries of each log were told; as an SSE event id, `@governance:12 fs:340`. */
export type StreamPosition = ReadonlyMap<string, number>;

export function formatStreamPosition(position: StreamPosition): string {
  return [...position].map(([log, size]) => `${log}:${size}`).join(' ');
}

/** Undefined where it is no position that a stream has given out. */
export function parseStreamPosition(text: string): Map<string, number> | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const position = new Map<string, number>();
  for (const part of text.split(' ')) {
    const governed = part.startsWith(`${GOVERNANCE}:`);
    const [, log, size] = PART.exec(governed ? part.slice(1) : part) ?? [];
    if (log === undefined || size === undefined) return undefined;
    const name = governed ? GOVERNANCE : log;
    if (position.has(name)) return undefined;
    position.set(name, Number(size));
  }
  return position;
}
