import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInsideWindow, type UseWindow } from './index.ts';
import { DAYS, isTimeZone } from './window.ts';

const at = (text: string) => Date.parse(text) / 1000;
const window: UseWindow = { days: ['mon', 'fri'], from: '09:00', to: '17:00', tz: 'Europe/Berlin' };

describe('isInsideWindow', () => {
  it.each([
    ['2026-01-05T07:59:59Z', false],
    ['2026-01-05T08:00:00Z', true],
    ['2026-01-05T15:59:59Z', true],
    ['2026-01-05T16:00:00Z', false],
    ['2026-01-06T10:00:00Z', false],
    // Summer time: one hour earlier in UTC.
    ['2026-07-06T07:00:00Z', true],
    ['2026-07-06T15:00:00Z', false],
  ])('%s is %s', (time, inside) => {
    expect(isInsideWindow(window, at(time))).toBe(inside);
  });

  it('runs overnight into the next day and over the end of the week', () => {
    const night: UseWindow = { days: ['sat'], from: '22:00', to: '06:00', tz: 'UTC' };
    expect(isInsideWindow(night, at('2026-01-10T21:59:00Z'))).toBe(false);
    expect(isInsideWindow(night, at('2026-01-10T22:00:00Z'))).toBe(true);
    expect(isInsideWindow(night, at('2026-01-11T05:59:00Z'))).toBe(true);
    expect(isInsideWindow(night, at('2026-01-11T06:00:00Z'))).toBe(false);
    expect(isInsideWindow(night, at('2026-01-10T05:00:00Z'))).toBe(false);
  });

  it('follows the clock on the wall where it is set forward and back', () => {
    const twoToThree: UseWindow = { days: ['sun'], from: '02:00', to: '03:00', tz: 'Europe/Berlin' };
    // 2026-03-29: 02:00 to 03:00 does not exist. 2026-10-25: it happens twice.
    expect(isInsideWindow(twoToThree, at('2026-03-29T01:00:00Z'))).toBe(false);
    expect(isInsideWindow(twoToThree, at('2026-10-25T00:30:00Z'))).toBe(true);
    expect(isInsideWindow(twoToThree, at('2026-10-25T01:30:00Z'))).toBe(true);
    expect(isInsideWindow(twoToThree, at('2026-10-25T02:00:00Z'))).toBe(false);
  });

  it('is false for a zone that the runtime does not know', () => {
    expect(isInsideWindow({ ...window, tz: 'Mars/Olympus' }, at('2026-01-05T12:00:00Z'))).toBe(false);
  });

  it('agrees with plain arithmetic in UTC', () => {
    const minute = fc.integer({ min: 0, max: 1439 });
    const clock = (value: number) =>
      `${String(Math.floor(value / 60)).padStart(2, '0')}:${String(value % 60).padStart(2, '0')}`;
    fc.assert(
      fc.property(
        minute,
        minute,
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 0, max: 2 ** 32 }),
        (from, to, day, now) => {
          fc.pre(from !== to);
          const name = DAYS[day] ?? 'sun';
          const inside = isInsideWindow({ days: [name], from: clock(from), to: clock(to), tz: 'UTC' }, now);
          const length = (to - from + 1440) % 1440;
          const sinceSunday = (Math.floor(now / 60) + 4 * 1440) % 10080;
          const sinceStart = (sinceSunday - (day * 1440 + from) + 20160) % 10080;
          expect(inside).toBe(sinceStart < length);
        },
      ),
    );
  });
});

describe('isTimeZone', () => {
  it('knows names of zones and nothing else', () => {
    for (const name of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5']) {
      expect(isTimeZone(name)).toBe(true);
    }
    for (const name of ['', '+01:00', 'Europe/Atlantis', 'UTC\n', '../etc', `A${'a'.repeat(1000)}`]) {
      expect(isTimeZone(name)).toBe(false);
    }
  });

  it('stays bounded whatever tokens name', () => {
    for (const name of Intl.supportedValuesOf('timeZone')) expect(isTimeZone(name)).toBe(true);
    expect(isInsideWindow({ ...window, tz: 'UTC' }, at('2026-01-05T12:00:00Z'))).toBe(true);
  });
});
