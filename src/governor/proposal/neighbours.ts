import type { JsonObject, JsonValue } from '../../codec/index.ts';
import type { TriedCall } from './trial.ts';

export interface Neighbour extends TriedCall {
  /** What is other than in the call itself. */
  readonly change: string;
}

/** Arguments looked at; each of them gives two neighbours. */
const MAX_ARGUMENTS = 32;

/** Calls next to one: an argument another, one less, one more; another tool. None of them was asked for. */
export function neighboursOf({ tool, args }: TriedCall, otherTools: readonly string[]): Neighbour[] {
  const neighbours: Neighbour[] = [];
  for (const name of Object.keys(args).slice(0, MAX_ARGUMENTS)) {
    const { [name]: value = null, ...without } = args;
    neighbours.push({ tool, args: { ...args, [name]: otherThan(value) }, change: `another ${name}` });
    neighbours.push({ tool, args: without, change: `no ${name}` });
  }
  neighbours.push({ tool, args: { ...args, [freshName(args)]: 1 }, change: 'one more argument' });
  for (const other of otherTools) neighbours.push({ tool: other, args, change: `the tool ${other}` });
  return neighbours;
}

function otherThan(value: JsonValue): JsonValue {
  if (typeof value === 'string') return `${value}x`;
  if (typeof value === 'number') return Number.isSafeInteger(value + 1) ? value + 1 : 0;
  if (typeof value === 'boolean') return !value;
  if (Array.isArray(value)) return [...value, ...(value.length === 0 ? ['x'] : value.slice(0, 1))];
  return { ...(value as JsonObject | null), x: 1 };
}

function freshName(args: JsonObject): string {
  let name = 'x';
  while (Object.hasOwn(args, name)) name += 'x';
  return name;
}
