import { usageError } from './cli-error.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of `90s`, `15m`, `8h`, `7d`. */
export function parseDuration(text: string, option: string): number {
  const [, count, unit] = /^([1-9]\d{0,7})([smhd])$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : SECONDS[unit];
  if (count === undefined || factor === undefined) {
    throw usageError(`${option} "${text}" is no duration`, 'write a number and a unit: 30s, 15m, 8h, 7d');
  }
  return Number(count) * factor;
}

/** A duration for people: its two largest units. */
export function formatDuration(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const;
  let rest = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${name}`);
  }
  return parts.length === 0 ? '0s' : parts.slice(0, 2).join(' ');
}

/** ISO 8601 in UTC, to the second. */
export function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : `${date.toISOString().slice(0, 19)}Z`;
}

export function parseWholeNumber(text: string, option: string, minimum = 0): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= minimum)) throw usageError(`${option} "${text}" is not a whole number from ${minimum} on`);
  return value;
}

const MOMENT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** Milliseconds since the epoch of `2026-11-01` (UTC), `2026-11-01T08:30Z`, or `90d` (so long ago). */
export function parseMoment(text: string, option: string, nowMs: number): number {
  if (/^\d+[smhd]$/.test(text)) return nowMs - parseDuration(text, option) * 1000;
  const moment = MOMENT.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse takes the 31st of November for the 1st of December.
  const sameDay =
    Number.isFinite(moment) &&
    new Date(Date.parse(text.slice(0, 10))).toISOString().startsWith(text.slice(0, 10));
  if (!sameDay) {
    throw usageError(
      `${option} "${text}" is no moment`,
      'write 2026-11-01, 2026-11-01T08:30Z, or 90d for so long ago',
    );
  }
  return moment;
}
