/** Drawings that need nothing else and read on light and dark. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .small { font-size: 11px; fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .bar { fill: #8b949e; }
  .writ { fill: #0969da; }
  .line { stroke: #8b949e; stroke-width: 2; fill: none; }
  .line.writ { stroke: #0969da; fill: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .bar { fill: #656c76; }
    .writ { fill: #4493f8; }
    .line { stroke: #656c76; }
    .line.writ { stroke: #4493f8; }
  }
`;

/** Title and note stand in the upper 48 pixels. */
export function svg(
  width: number,
  height: number,
  title: string,
  note: string,
  content: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}</style>`,
    `<text class="title" x="10" y="22">${escaped(title)}</text>`,
    `<text class="small" x="10" y="40">${escaped(note)}</text>`,
    ...content,
    '</svg>',
    '',
  ].join('\n');
}

export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}

/** Whole decades that hold all values, at least one. */
export function decadesOf(values: readonly number[]): { readonly from: number; readonly to: number } {
  const from = Math.floor(Math.log10(Math.min(...values)));
  return { from, to: Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values)))) };
}
