/** One policy of a file, as written (with what precedes it: comments and blank lines). */
export interface PolicySegment {
  readonly text: string;
  /** Where the segment starts in its file, in UTF-16 units. */
  readonly start: number;
}

export interface TextProblem {
  /** In UTF-16 units. */
  readonly offset: number;
  readonly reason: string;
}

/**
 * Bounds on one policy's shape. Cedar recurses and traps when its 1 MiB stack ends: its parser at 109 nested brackets or
 * 765 conditionals, its evaluator at 359 levels of expression, however they came about. The evaluator's levels are at
 * most nesting + chain + links, so these bounds stay well below in sum too.
 */
const MAX_NESTING = 32;
/** Accesses, calls, arithmetic and comparisons, summed over the open brackets. */
const MAX_CHAIN = 64;
/** Conjunctions, disjunctions, conditionals and clauses of one policy. */
const MAX_LINKS = 150;
const MAX_POLICY_CHARACTERS = 65_536;

const TOKEN =
  /\/\/[^\n\r]*|"(?:[^"\\]|\\[\s\S])*"|&&|\|\||[A-Za-z_][A-Za-z0-9_]*|[()[\]{}]|[;,]|[.+\-*!<>=]|\s+|[\s\S]/gy;

const LINK_WORDS = new Set(['if', 'when', 'unless']);
const BRANCH_WORDS = new Set(['then', 'else']);
const CHAIN_WORDS = new Set(['has', 'like', 'is', 'in']);

/**
 * Splits policy text at the semicolons that end policies, and refuses shapes that would exhaust Cedar's stack. Only
 * comments, strings and brackets are understood; Cedar's own parser has the last word on every segment.
 */
export function splitPolicies(text: string): { segments: PolicySegment[]; tail: number } | TextProblem {
  const segments: PolicySegment[] = [];
  let start = 0;
  /** Length of the operator chain at each open bracket, outermost first. */
  let chains = [0];
  let chained = 0;
  let links = 0;
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    const end = match.index + token.length;
    const level = chains.length - 1;
    if (token === ';') {
      if (end - start > MAX_POLICY_CHARACTERS) return { offset: start, reason: 'policy is too long' };
      segments.push({ text: text.slice(start, end), start });
      start = end;
      chains = [0];
      chained = 0;
      links = 0;
    } else if (token === '(' || token === '[' || token === '{') {
      chains[level] = (chains[level] ?? 0) + 1;
      chained += 1;
      chains.push(0);
      if (chains.length > MAX_NESTING) return { offset: match.index, reason: 'policy is nested too deep' };
    } else if (token === ')' || token === ']' || token === '}') {
      if (level > 0) chained -= chains.pop() ?? 0;
      // A closed block ends its clause; a closed call or index goes on in the same chain.
      if (token === '}' && chains.length === 1) {
        chained -= chains[0] ?? 0;
        chains[0] = 0;
      }
    } else if (token === ',' || token === '&&' || token === '||') {
      chained -= chains[level] ?? 0;
      chains[level] = 0;
      if (token !== ',') links += 1;
    } else if (LINK_WORDS.has(token) || BRANCH_WORDS.has(token)) {
      chained -= chains[level] ?? 0;
      chains[level] = 0;
      if (LINK_WORDS.has(token)) links += 1;
    } else if ((token.length === 1 && '.+-*!<>='.includes(token)) || CHAIN_WORDS.has(token)) {
      chains[level] = (chains[level] ?? 0) + 1;
      chained += 1;
    }
    if (chained > MAX_CHAIN) return { offset: match.index, reason: 'policy chains too many operators' };
    if (links > MAX_LINKS) return { offset: match.index, reason: 'policy combines too many conditions' };
  }
  if (text.length - start > MAX_POLICY_CHARACTERS) return { offset: start, reason: 'text is too long' };
  return { segments, tail: start };
}

/** 1-based line and column (in UTF-16 units) of an offset. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, Math.max(0, offset));
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let at = before.indexOf('\n'); at >= 0; at = before.indexOf('\n', at + 1)) line += 1;
  return { line, column: before.length - lineStart + 1 };
}

/** Cedar counts in UTF-8 bytes; this is the UTF-16 offset of such a count. */
export function fromByteOffset(text: string, byteOffset: number): number {
  return Buffer.from(text).subarray(0, byteOffset).toString().length;
}
