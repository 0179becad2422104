import type { Recorded } from './recorded-call.ts';

/** What whoever signs a proposal has to know beside it. */
export function notesOf(
  { run, ask, stdinDigest, home }: Recorded,
  { was, cwd }: { readonly was: string; readonly cwd: string },
): readonly string[] {
  const { end, report } = run.outcome;
  const { secret, other } = run.leftOut;
  const changed = run.uses.filter(({ access, isChanged }) => access === 'read' && isChanged);
  return [
    ...(end.exitCode === 0
      ? []
      : [
          `it ended with ${end.exitCode ?? 'no exit code'}: what it would have used after that is not in here`,
        ]),
    ...(report.outOfMemory === true ? ['it ran out of memory: record it again with more --memory'] : []),
    ...(changed.length === 0
      ? []
      : [
          `it changed what it may only read (${changed[0]?.path}): that will fail; record it again with --write`,
        ]),
    ...(cwd === was ? [] : [`nothing that it used brings its working folder ${was}: it is run in /`]),
    ...secret.map((path) => `${path} is a trust domain, and was not there for it`),
    ...(other === 0 ? [] : [`${other} files were not there for it: sockets, devices, or not readable`]),
    ...(ask.network.length === 0 ? [] : ['what it sent over the network was really sent']),
    ...(ask.environment.size === 0
      ? []
      : [
          'variables are proposed as they were given, used or not: their values stand in the artifact in clear',
        ]),
    ...(stdinDigest === undefined ? ['standard input was a terminal, and is not bound'] : []),
    ...(report.memoryPeakBytes === undefined
      ? ['its memory could not be measured here: those limits are as they were asked for']
      : []),
    ...(home === undefined ? ['there is no trust domain here yet: make one with "writ init" first'] : []),
  ];
}
