import type { Home, LineageReader } from '../governor/index.ts';
import { type LineageEntry, openLineageEvents, otelTraces, ProvDocument } from '../lineage/index.ts';
import { usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseWholeNumber } from './duration.ts';
import { mustFindEntry, withLineage } from './lineage-source.ts';
import type { Session } from './session.ts';
import { faint, good, printableJson, warn } from './text.ts';
import { version } from './version.ts';
import { writeOut } from './written-file.ts';

interface Options {
  readonly all?: boolean;
  readonly format: string;
  readonly max?: string;
  readonly out?: string;
}

const FORMATS = ['openlineage', 'prov', 'otel'] as const;
type Format = (typeof FORMATS)[number];

/** Of one lineage, which is held whole. */
const MAX_OF_LINEAGE = 10_000;
/** A PROV document is one JSON object, so it is held whole. */
const MAX_OF_DOCUMENT = 50_000;
const SPANS_A_LINE = 512;

export const define: Define = (command, act) => {
  command
    .description(
      `Write a lineage, or every execution of the domain, for other tools: OpenLineage 2-0-2 run events (JSON lines), a W3C
PROV-JSON document, or OpenTelemetry spans (OTLP/JSON, one trace for a lineage, one request a line). It has what receipts
show: never arguments, results or the text of denials.`,
    )
    .argument('[execution]', 'an execution of the lineage, by id, or "last"')
    .option('--all', 'every execution of every log')
    .requiredOption('--format <format>', FORMATS.join(', '))
    .option('--max <n>', 'how many executions to write at most')
    .option('--out <file>', 'write it to a file (default: stdout)')
    .addHelpText(
      'after',
      examples(
        '$ writ lineage export last --format openlineage',
        '$ writ lineage export --all --format otel --out spans.jsonl',
        '$ writ lineage export last --format prov --out lineage.prov.json',
      ),
    )
    .action(act(exportLineage));
};

/** What was written, counted while it is. */
interface Tally {
  executions: number;
  omitted: number;
}

async function exportLineage(session: Session, id: string | undefined, options: Options): Promise<void> {
  const { output, surroundings } = session;
  const format = FORMATS.find((known) => known === options.format);
  if (format === undefined) {
    throw usageError(`--format "${options.format}" is none`, `give one of ${FORMATS.join(', ')}`);
  }
  if ((id === undefined) === (options.all !== true)) {
    throw usageError('which executions?', 'name one by its id, or "last", or give --all');
  }
  const max = options.max === undefined ? undefined : parseWholeNumber(options.max, '--max', 1);
  const home = await session.openHome();
  await withLineage(home, session, (reader) => {
    const tally: Tally = { executions: 0, omitted: 0 };
    const entries =
      id === undefined ? allOf(reader, format, max, tally) : lineageOf(home, reader, id, max, tally);
    const texts = textsOf(format, entries, home, reader);
    if (options.out === undefined) {
      for (const text of texts) output.text(text);
      if (tally.omitted > 0) output.note(warn(`${tally.omitted} more executions were left out`));
      return;
    }
    const file = writeOut(surroundings.cwd, options.out, texts);
    output.answer({ file, format, ...tally }, () => {
      output.line(good('wrote '), `${tally.executions} executions as ${format}`, faint(`  ${file}`));
      if (tally.omitted > 0)
        output.line(warn(`${tally.omitted} more were left out`), faint(' (--max writes more)'));
    });
  });
}

/** Ancestors and descendants first where there are more than may be written. */
function* lineageOf(
  home: Home,
  reader: LineageReader,
  id: string,
  max = MAX_OF_LINEAGE,
  tally: Tally,
): Generator<LineageEntry> {
  const { entries, omitted } = reader.around(mustFindEntry(home, reader, id), max);
  tally.omitted = omitted;
  for (const entry of entries.toSorted(byTime)) {
    tally.executions += 1;
    yield entry;
  }
}

function* allOf(
  reader: LineageReader,
  format: Format,
  max = format === 'prov' ? MAX_OF_DOCUMENT : Number.POSITIVE_INFINITY,
  tally: Tally,
): Generator<LineageEntry> {
  for (const entry of reader.all()) {
    if (tally.executions >= max) tally.omitted += 1;
    else {
      tally.executions += 1;
      yield entry;
    }
  }
}

function byTime(left: LineageEntry, right: LineageEntry): number {
  return left.decision.atMs - right.decision.atMs || (left.executionId < right.executionId ? -1 : 1);
}

/** The file, piece by piece. */
function* textsOf(
  format: Format,
  entries: Iterable<LineageEntry>,
  { domain }: Home,
  reader: LineageReader,
): Generator<string> {
  const find = (executionId: string) => reader.find(executionId);
  const line = (value: unknown) => `${printableJson(JSON.stringify(value))}\n`;
  if (format === 'prov') {
    const document = new ProvDocument(domain);
    for (const entry of entries) document.add(entry);
    yield line(document);
  } else if (format === 'openlineage') {
    const source = { domain, producer: `urn:writ:version:${version()}`, find };
    for (const entry of entries) yield* openLineageEvents(entry, source).map(line);
  } else {
    const source = { domain, version: version(), find };
    for (const batch of batchesOf(entries, SPANS_A_LINE)) yield line(otelTraces(batch, source));
  }
}

function* batchesOf<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
