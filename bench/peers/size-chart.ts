import type { SizeResult } from './log-size.ts';
import { figure } from './markdown-table.ts';
import type { Summary } from './summary.ts';
import { decadesOf, escaped, svg } from './svg.ts';

const WIDTH = 860;
const HEIGHT = 380;
const LEFT = 80;
const RIGHT = 170;
const TOP = 64;
const BOTTOM = 44;

interface Line {
  readonly name: string;
  readonly style: string;
  /** Of its figures against its points, in pixels downwards. */
  readonly shift: number;
  readonly of: (result: SizeResult) => Summary;
}

const LINES: readonly Line[] = [
  { name: 'governor.run alone', style: 'writ', shift: -8, of: ({ alone }) => alone },
  { name: 'governor.run, 64 in flight', style: 'writ', shift: 17, of: ({ loaded }) => loaded },
  { name: 'inclusion proof', style: 'bar', shift: -8, of: ({ proof }) => proof },
  { name: 'lookup', style: 'bar', shift: -8, of: ({ lookup }) => lookup },
];

/** Microseconds against entries, both on logarithmic scales. */
export function sizeChart(results: readonly SizeResult[]): string {
  const x = decadesOf(results.map(({ size }) => size));
  const y = decadesOf(LINES.flatMap(({ of }) => results.map((result) => of(result).clock)));
  const xOf = (size: number): number =>
    LEFT + ((Math.log10(size) - x.from) / (x.to - x.from)) * (WIDTH - LEFT - RIGHT);
  const yOf = (clock: number): number =>
    HEIGHT - BOTTOM - ((Math.log10(clock) - y.from) / (y.to - y.from)) * (HEIGHT - TOP - BOTTOM);
  const rows = Array.from({ length: y.to - y.from + 1 }, (_, at) => {
    const clock = 10 ** (y.from + at);
    const height = yOf(clock).toFixed(1);
    return (
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${height}" y2="${height}"/>` +
      `<text class="small" x="${LEFT - 8}" y="${height}" dy="4" text-anchor="end">${clock.toLocaleString('en')} µs</text>`
    );
  });
  const columns = results.map(
    ({ size }) =>
      `<text class="small" x="${xOf(size).toFixed(1)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${size.toLocaleString('en')}</text>`,
  );
  const lines = LINES.flatMap(({ name, style, shift, of }) => {
    const points = results.map((result) => ({
      left: xOf(result.size).toFixed(1),
      top: yOf(of(result).clock).toFixed(1),
      clock: of(result).clock,
    }));
    const last = points.at(-1);
    return [
      `<polyline class="line ${style}" points="${points.map(({ left, top }) => `${left},${top}`).join(' ')}"/>`,
      ...points.map(
        ({ left, top, clock }) =>
          `<circle class="${style}" cx="${left}" cy="${top}" r="3.5"/>` +
          `<text class="small" x="${left}" y="${top}" dy="${shift}" text-anchor="middle">${figure(clock)}</text>`,
      ),
      `<text class="small" x="${WIDTH - RIGHT + 24}" y="${last?.top ?? 0}" dy="4">${escaped(name)}</text>`,
    ];
  });
  return svg(
    WIDTH,
    HEIGHT,
    'Microseconds against entries in the log',
    'Both scales logarithmic: what does not depend on the size is a flat line.',
    [...rows, ...columns, ...lines],
  );
}
