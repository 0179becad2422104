import { isIP } from 'node:net';
import { type Destination, destinationText } from './network-grant.ts';

const MAX_LABELS = 3;
const MAX_CHARACTERS = 48;

/**
 * What goes on record of a destination that was refused, which is the program's choice: it could spell out what it read in
 * names that it never meant to reach, and receipts are read by more people than its files are. Whose name it was is enough to
 * look into it: an address, or the end of a name, in whole labels; `*.` stands for what was before.
 *
 * @returns letters, digits and `_-.:*[]`, 54 characters at most; undefined where no label is short enough.
 */
export function refusedText(destination: Destination): string | undefined {
  const { host } = destination;
  if (isIP(host) !== 0) return destinationText(destination);
  const labels = host.split('.');
  const kept: string[] = [];
  let characters = 0;
  for (const label of labels.slice(-MAX_LABELS).reverse()) {
    characters += label.length + 1;
    if (characters > MAX_CHARACTERS) break;
    kept.unshift(label);
  }
  if (kept.length === 0) return undefined;
  const shown = kept.length === labels.length ? kept : ['*', ...kept];
  return destinationText({ ...destination, host: shown.join('.') });
}
