/** What one run measured, as Markdown. */
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Absent } from './contestants.ts';
import type { SizeResult } from './log-size.ts';
import { figure, markdownTable } from './markdown-table.ts';
import type { Race, Result } from './race.ts';
import { LARGEST_WRITTEN } from './sized-log.ts';
import { isNoisy, type Summary } from './summary.ts';

export interface Run {
  readonly rounds: number;
  /** Of the machine over one minute: before the race, after it, at the end. */
  readonly loads: readonly number[];
  readonly race: Race;
  readonly absent: readonly Absent[];
  readonly sizes: readonly SizeResult[];
}

export function loadNow(): number {
  return loadavg()[0] ?? Number.NaN;
}

export function report(run: Run): string {
  return [
    machineOf(run),
    '### One call',
    raceTable(run.race.results),
    absentList(run.absent),
    '### What each of them does',
    scopeTable(run.race.results),
    '### Cost against the size of the log',
    'Microseconds by the clock (`opening`: milliseconds); in parentheses, of processor time, all threads.',
    sizeTable(run.sizes),
    growthOf(run.sizes),
  ].join('\n\n');
}

/** The rows that docs/benchmarks.md shows. */
export function headlines({ race: { results } }: Run): string {
  return markdownTable(
    ['one call', 'µs', 'µs of processor', '× Ed25519'],
    results.map(({ contestant: { name }, clock, processor, ratio }) => [
      name,
      figure(clock),
      figure(processor),
      figure(ratio),
    ]),
  );
}

function machineOf({ rounds, loads, race: { noisyRounds } }: Run): string {
  const [before, between, after] = loads.map((load) => load.toFixed(1));
  return [
    `Run of ${new Date().toISOString().slice(0, 10)}: Node ${process.versions.node}, ${process.platform} ${release()}, ${process.arch},`,
    `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB.`,
    `Medians of ${rounds} rounds. Load of the machine over one minute: ${before} before, ${between} after the race, ${after} at the end.`,
    `Noisy rounds, in which an Ed25519 verification took over 1.25 times its median: ${noisyRounds} of ${rounds}.`,
  ].join('\n');
}

function rangeOf(summary: Summary): string {
  return `${figure(summary.fastest)} to ${figure(summary.slowest)}${isNoisy(summary) ? ', noisy' : ''}`;
}

function raceTable(results: readonly Result[]): string {
  return markdownTable(
    ['one call', 'version', 'µs', 'fastest to slowest round', 'µs of processor', '× Ed25519', 'calls/s'],
    results.map((result) => [
      result.contestant.name,
      result.contestant.version,
      figure(result.clock),
      rangeOf(result),
      figure(result.processor),
      figure(result.ratio),
      figure(1_000_000 / result.clock),
    ]),
    2,
  );
}

function scopeTable(results: readonly Result[]): string {
  return markdownTable(
    ['one call', 'does', 'does not do', 'seen to refuse'],
    results.map(({ contestant: { name, does, doesNot, refuses } }) => [name, does, doesNot, refuses]),
    4,
  );
}

function absentList(absent: readonly Absent[]): string {
  if (absent.length === 0) return 'Every contestant took part.';
  return ['Not measured:', '', ...absent.map(({ name, reason }) => `- ${name}: ${reason}`)].join('\n');
}

function sizeTable(sizes: readonly SizeResult[]): string {
  const both = (summary: Summary): string =>
    `${figure(summary.clock)} (${figure(summary.processor)})${isNoisy(summary) ? ', noisy' : ''}`;
  return markdownTable(
    [
      'entries',
      'database',
      'governor.run alone',
      'governor.run, 64 in flight',
      'lookup',
      'inclusion proof',
      'opening, ms',
    ],
    sizes.map(({ size, databaseBytes, alone, loaded, lookup, proof, opening }) => [
      `${size.toLocaleString('en')}${size > LARGEST_WRITTEN ? ', synthetic' : ''}`,
      `${figure(databaseBytes / 2 ** 20)} MiB`,
      both(alone),
      both(loaded),
      both(lookup),
      both(proof),
      both(inMillis(opening)),
    ]),
  );
}

function inMillis({ clock, processor, fastest, slowest }: Summary): Summary {
  return {
    clock: clock / 1000,
    processor: processor / 1000,
    fastest: fastest / 1000,
    slowest: slowest / 1000,
  };
}

function growthOf(sizes: readonly SizeResult[]): string {
  const [first, last] = [sizes[0], sizes.at(-1)];
  if (first === undefined || last === undefined) return '';
  const times = (of: (result: SizeResult) => Summary): string =>
    `${figure(of(last).clock / of(first).clock)} × by the clock and ${figure(of(last).processor / of(first).processor)} × in processor time`;
  return [
    `From ${first.size.toLocaleString('en')} to ${last.size.toLocaleString('en')} entries, a call alone costs`,
    `${times(({ alone }) => alone)};`,
    `with 64 in flight, ${times(({ loaded }) => loaded)}.`,
  ].join('\n');
}
