import { artifactTargets } from './fuzz-artifact.ts';
import { logTargets } from './fuzz-log.ts';
import { mcpTargets } from './fuzz-mcp.ts';
import { statementTargets } from './fuzz-statements.ts';
import { textTargets } from './fuzz-text.ts';
import type { Random } from './random.ts';

/** `accepted` and `refused` are right answers; any other text says what was wrong. */
export type Verdict = 'accepted' | 'refused' | (string & {});

/** A parser, and what must hold of its answer to one hostile input. */
export interface FuzzTarget {
  readonly name: string;
  readonly feed: (random: Random) => Verdict | Promise<Verdict>;
}

/** The cheap ones first: time they leave over is for the others. */
export async function fuzzTargets(): Promise<readonly FuzzTarget[]> {
  return [
    ...textTargets(),
    ...logTargets(),
    ...(await statementTargets()),
    ...artifactTargets(),
    ...mcpTargets(),
  ];
}
