import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { isChangeableByOthers, type Program, ROOT } from '../enforce/exec/index.ts';

/**
 * Where others than root and this account could put another program, or another script: the file itself, and every folder on
 * the way to it. Writ runs only bytes with the digest that was adopted; but who can write there can keep it from running, and
 * have another one adopted the next time.
 */
export function changeablePlaces({ path, interpreter }: Program): readonly string[] {
  const trusted = [ROOT, process.getuid?.()];
  const places = new Set<string>();
  for (const file of [path, ...(interpreter === undefined ? [] : [interpreter.path])]) {
    for (let at = file; ; at = dirname(at)) {
      const status = lstatSync(at, { throwIfNoEntry: false });
      if (status !== undefined && isChangeableByOthers(status, trusted)) places.add(at);
      if (at === dirname(at)) break;
    }
  }
  return [...places].sort();
}
