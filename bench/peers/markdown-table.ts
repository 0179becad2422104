type Row = readonly string[];

/** Markdown, padded so that it reads well as text; every column but the first `left` is set right. */
export function markdownTable(head: Row, rows: readonly Row[], left = 1): string {
  const widths = head.map((title, at) =>
    Math.max(3, title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const pad = (cell: string, at: number): string =>
    at < left ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0);
  const line = (row: Row): string => `| ${row.map(pad).join(' | ')} |`;
  const rules = widths.map((width, at) => (at < left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rules), ...rows.map(line)].join('\n');
}

/** Three digits that count. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
