import { figure } from './markdown-table.ts';
import type { Result } from './race.ts';
import { decadesOf, escaped, svg } from './svg.ts';

const WIDTH = 860;
const LABELS = 330;
const FIGURES = 120;
const TOP = 60;
const ROW = 28;
const BAR = 16;
const AXIS = 30;

/** Horizontal bars of microseconds per call on a logarithmic scale. */
export function barChart(results: readonly Result[]): string {
  const { from, to } = decadesOf(results.map(({ clock }) => clock));
  const xOf = (decade: number): number =>
    LABELS + ((decade - from) / (to - from)) * (WIDTH - LABELS - FIGURES);
  const bottom = TOP + results.length * ROW;
  const grid = Array.from({ length: to - from + 1 }, (_, at) => {
    const x = xOf(from + at).toFixed(1);
    return (
      `<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${bottom}"/>` +
      `<text class="small" x="${x}" y="${bottom + 16}" text-anchor="middle">${(10 ** (from + at)).toLocaleString('en')} µs</text>`
    );
  });
  const bars = results.map(({ contestant: { name }, clock, ratio }, at) => {
    const y = TOP + at * ROW;
    const end = xOf(Math.log10(clock));
    const middle = y + BAR / 2 + 4.5;
    return (
      `<text x="${LABELS - 10}" y="${middle}" text-anchor="end">${escaped(name)}</text>` +
      `<rect class="${name.startsWith('Writ') ? 'writ' : 'bar'}" x="${LABELS}" y="${y}" width="${Math.max(1, end - LABELS).toFixed(1)}" height="${BAR}" rx="2"/>` +
      `<text class="small" x="${(end + 6).toFixed(1)}" y="${middle}">${figure(clock)} µs, ${figure(ratio)} ×</text>`
    );
  });
  return svg(
    WIDTH,
    bottom + AXIS,
    'One call: microseconds, and × one Ed25519 verification',
    'Logarithmic scale; shorter is faster. They do different things: the table says which.',
    [...grid, ...bars],
  );
}
