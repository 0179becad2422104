import type { NarrowPath } from '../enforce/exec/index.ts';
import { isPlain, sizeText } from './exec-commands.ts';
import type { ExecProposal } from './exec-proposal.ts';
import type { Output } from './output.ts';
import { bad, faint, good, type Part, strong, warn } from './text.ts';

const WIDTH = 12;

/** The proposal for whoever decides on it: on stderr, because stdout is the program's. */
export function tellProposal(output: Output, proposal: ExecProposal, file: string | undefined): void {
  const { name, program, used, unused, refused, limits, neighbours, notes, script } = proposal;
  const row = (title: string, ...parts: readonly Part[]): void =>
    output.note(faint(title.padEnd(WIDTH)), ...parts);
  output.note();
  output.note(strong(`recorded ${name}`), faint('  on copies that are gone: no file of yours was changed'));
  row('program', program.path, faint(`  ${program.digest}`));
  if (program.interpreter !== null)
    row('run by', program.interpreter.path, faint(`  ${program.interpreter.digest}`));
  row(
    'effects',
    proposal.effects,
    faint(proposal.effects === 'read' ? '  it wrote nothing and went nowhere' : ''),
  );
  for (const path of used.read) row('read', path.path, faint(whyOf(path)));
  for (const path of used.write) row('write', path.path, faint(whyOf(path)));
  for (const { to, bytesOut, bytesIn } of used.network)
    row('network', to, faint(`  ${bytesOut} bytes out, ${bytesIn} in`));
  for (const path of [...unused.read, ...unused.write, ...unused.network]) row('not used', faint(path));
  for (const to of refused) row('refused', warn(to), faint('  it tried, and was not offered it'));
  row('limits', limitsText(limits));
  if (proposal.stdinDigest !== null) row('stdin', proposal.stdinDigest);
  const opened = neighbours.filter((neighbour) => neighbour.opened);
  row(
    'decided',
    opened.length === 0 ? good(`this call: ${proposal.asked}`) : bad(`this call: ${proposal.asked}`),
    opened.length === 0
      ? `; ${neighbours.length} calls next to it: denied`
      : `; also ${opened.map(({ change }) => change).join(', ')}`,
  );
  for (const note of notes) row('note', warn(note));
  if (file !== undefined) row('written to', file);
  output.note();
  if (!script.every(isPlain)) {
    output.note(warn('the commands hold what a terminal does not show as it is: take them from --out FILE'));
    return;
  }
  output.note(faint('nothing is signed yet: read it, then pin the program, sign, and call it'));
  output.note();
  for (const line of script) output.note(line);
}

function whyOf({ path, uses, useCount }: NarrowPath): string {
  if (useCount === 1 && uses[0] === path) return '';
  const inside = uses.filter((use) => use !== path);
  const isListed = inside.length < uses.length;
  return `  ${isListed ? 'the folder itself' : 'whole'}${inside.length === 0 ? '' : `, ${inside.length} paths in it`}`;
}

function limitsText(limits: ExecProposal['limits']): string {
  const time = (seconds: number): string => `${seconds}s`;
  const plain = (count: number): string => `${count}`;
  const shown = [
    ['time', limits.wallSeconds, time],
    ['cpu', limits.cpuSeconds, time],
    ['memory', limits.memoryBytes, sizeText],
    ['processes', limits.processes, plain],
    ['file size', limits.fileBytes, sizeText],
    ['open files', limits.openFiles, plain],
    ['net bytes', limits.networkBytes, sizeText],
  ] as const;
  return shown
    .map(([title, { proposed, used }, text]) => {
      return `${title} ${text(proposed)} (${used === null ? 'as asked' : `used ${text(used)}`})`;
    })
    .join(', ');
}
