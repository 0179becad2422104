/** The days of a use window, in the order of `Intl` weekdays from Sunday. */
export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Day = (typeof DAYS)[number];

/**
 * A weekly window of local time, from `from` inclusive to `to` exclusive. One that ends at or before its start runs
 * overnight into the day after each named day.
 */
export type UseWindow = {
  readonly days: readonly Day[];
  /** `HH:MM`, 00:00 to 23:59. */
  readonly from: string;
  /** `HH:MM`, 00:00 to 24:00. */
  readonly to: string;
  /** IANA time zone name. */
  readonly tz: string;
};

interface LocalTime {
  /** 0 is Sunday. */
  readonly day: number;
  readonly minute: number;
}

interface Zone {
  readonly formatter: Intl.DateTimeFormat;
  /** The last answer: the same minute is asked for many times. */
  last?: { readonly epochMinute: number; readonly local: LocalTime };
}

/** As `en-US` writes them. */
const WEEKDAYS: readonly string[] = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+\-/]{0,63}$/;

/** A formatter costs tens of microseconds and kilobytes, and tokens name the zones: the cache is bounded. */
const MAX_CACHED_ZONES = 64;
const zones = new Map<string, Zone>();

/** Whether the runtime knows the zone by this name. Offsets such as `+01:00` are not zones. */
export function isTimeZone(name: string): boolean {
  return zoneNamed(name) !== undefined;
}

/** Whether a moment lies inside the window. `nowSeconds` is Unix time. */
export function isInsideWindow(window: UseWindow, nowSeconds: number): boolean {
  const zone = zoneNamed(window.tz);
  if (zone === undefined) return false;
  const { day, minute } = localTime(zone, nowSeconds);
  const from = minuteOfDay(window.from);
  const to = minuteOfDay(window.to);
  if (from < to) return minute >= from && minute < to && names(window, day);
  if (minute >= from) return names(window, day);
  return minute < to && names(window, (day + 6) % 7);
}

function names(window: UseWindow, day: number): boolean {
  const name = DAYS[day];
  return name !== undefined && window.days.includes(name);
}

function minuteOfDay(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
}

function zoneNamed(name: string): Zone | undefined {
  const cached = zones.get(name);
  if (cached !== undefined) return cached;
  if (!ZONE_NAME.test(name)) return undefined;
  let zone: Zone;
  try {
    zone = {
      formatter: new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        weekday: 'short',
        hour: '2-digit',
        minute: '2-digit',
        hourCycle: 'h23',
      }),
    };
  } catch {
    return undefined;
  }
  if (zones.size >= MAX_CACHED_ZONES) zones.delete(zones.keys().next().value ?? name);
  zones.set(name, zone);
  return zone;
}

function localTime(zone: Zone, nowSeconds: number): LocalTime {
  const epochMinute = Math.floor(nowSeconds / 60);
  if (zone.last?.epochMinute === epochMinute) return zone.last.local;
  let day = 0;
  let minute = 0;
  for (const part of zone.formatter.formatToParts(epochMinute * 60_000)) {
    if (part.type === 'weekday') day = WEEKDAYS.indexOf(part.value);
    else if (part.type === 'hour') minute += Number(part.value) * 60;
    else if (part.type === 'minute') minute += Number(part.value);
  }
  const local = { day, minute };
  zone.last = { epochMinute, local };
  return local;
}
