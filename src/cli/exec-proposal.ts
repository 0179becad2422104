import type { JsonObject } from '../codec/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import {
  closePaths,
  confinerComponents,
  type ExecAsk,
  execPointName,
  execToolId,
  isBeneath,
  type Limits,
  type NarrowLimit,
  type NarrowPath,
  narrowLimits,
  narrowPaths,
  resolveAsk,
} from '../enforce/exec/index.ts';
import type { Component } from '../environment/index.ts';
import { type NarrowProposal, proposeNarrow } from '../governor/index.ts';
import type { NetworkFacts } from '../receipt/index.ts';
import { defaultAgent } from './agents.ts';
import { denied, failure } from './cli-error.ts';
import { currentCall } from './current-call.ts';
import { commandsFor, effectsOf, type ProposedCommands, scriptOf } from './exec-commands.ts';
import { realPath } from './exec-program.ts';
import { notesOf } from './exec-proposal-notes.ts';
import type { StoredProgram } from './program-file.ts';
import type { Recorded } from './recorded-call.ts';
import type { Session } from './session.ts';

/** What `writ exec --record` says: stable JSON. */
export interface ExecProposal {
  readonly name: string;
  readonly tool: string;
  readonly program: {
    readonly path: string;
    readonly digest: string;
    readonly interpreter: { readonly path: string; readonly digest: string } | null;
  };
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly exitCode: number | null;
  readonly effects: StoredProgram['effects'];
  readonly stdinDigest: string | null;
  readonly used: {
    readonly read: readonly NarrowPath[];
    readonly write: readonly NarrowPath[];
    readonly network: readonly NetworkFacts[];
    readonly env: readonly string[];
  };
  /** What it was offered, and nothing of which it used; what of the rest is not proposed is not listed. */
  readonly unused: {
    readonly read: readonly string[];
    readonly write: readonly string[];
    readonly network: readonly string[];
  };
  /** Destinations that it tried and was not offered. */
  readonly refused: readonly string[];
  readonly limits: { readonly [name in keyof Limits]: NarrowLimit };
  readonly artifact: {
    readonly tools: JsonObject;
    readonly audience: string;
    readonly components: readonly Component[];
    readonly purpose: string;
  };
  /** What deciding the call again under it says, and calls next to it. */
  readonly asked: string;
  readonly neighbours: NarrowProposal['neighbours'];
  /** What whoever reads it has to know. */
  readonly notes: readonly string[];
  readonly commands: ProposedCommands;
  /** The same for a shell, line by line. */
  readonly script: readonly string[];
}

/** From what a program did, the narrowest artifact that would have allowed it; ends the command where none would. */
export function proposeRecorded(session: Session, recorded: Recorded): ExecProposal {
  const { surroundings, nowSeconds } = session;
  const { domain, home, name, program, stored, confiner, ask, run, purpose, excluded } = recorded;
  const { report, end, executionId } = run.outcome;
  const { action, snapshot } = currentCall(domain.home, executionId, nowSeconds);
  const asked = pathsOf(surroundings.cwd, ask);
  const { uses } = run;
  const paths = narrowPaths(uses, [...asked.read, ...asked.write]);
  const network = report.network ?? [];
  const reached = network.filter(({ allowed }) => allowed > 0);
  const limits = narrowLimits(ask.limits, {
    wallMs: run.wallMs,
    ...(report.cpuMs === undefined ? {} : { cpuMs: report.cpuMs }),
    ...(report.memoryPeakBytes === undefined ? {} : { memoryPeakBytes: report.memoryPeakBytes }),
    ...largestOf(report.written),
    ...(reached.length === 0
      ? {}
      : { networkBytes: reached.reduce((sum, { bytesIn, bytesOut }) => sum + bytesIn + bytesOut, 0) }),
  });
  const [read, write] = [paths.filter(isFor('read')), paths.filter(isFor('write'))];
  const was = String(action.args.cwd);
  const cwd = isBrought(was, paths) ? was : '/';
  const narrow: ExecAsk = {
    ...ask,
    cwd,
    read: read.map(({ path }) => path),
    write: write.map(({ path }) => path),
    network: reached.map(({ to }) => to),
    limits: proposedLimits(limits),
  };
  const request = resolveAsk(narrow, surroundings.cwd, excluded);
  if (isDenial(request)) throw impossible(request);
  closePaths(request.paths);
  const proposal = proposeNarrow(action, snapshot, { args: request.args, iss: domain.home.issuer });
  if (isDenial(proposal)) throw denied(proposal);
  const effects = effectsOf({
    writes: write.length > 0,
    hasNetwork: reached.length > 0,
  });
  const components = confinerComponents(confiner);
  const audience = execPointName(name);
  const tools: JsonObject = { [execToolId(name)]: proposal.grant.tools[action.tool] ?? {} };
  const commands = commandsFor(writCommand(session), {
    name,
    agent: recorded.agent ?? defaultAgent(home),
    program: {
      path: program.path,
      digest: program.digest,
      ...(stored?.account === undefined ? {} : { account: stored.account }),
      effects,
      read: narrow.read,
      write: narrow.write,
      network: narrow.network,
      env: Object.fromEntries(ask.environment),
      limits: narrow.limits,
    },
    argv: ask.argv,
    ...{ cwd, tools, audience, components, purpose },
  });
  const { interpreter } = program;
  return {
    name,
    tool: action.tool,
    program: {
      path: program.path,
      digest: program.digest,
      interpreter: interpreter === undefined ? null : { path: interpreter.path, digest: interpreter.digest },
    },
    argv: ask.argv,
    cwd,
    exitCode: end.exitCode ?? null,
    effects,
    stdinDigest: recorded.stdinDigest ?? null,
    used: { read, write, network: reached, env: [...ask.environment.keys()].sort() },
    unused: {
      read: unusedOf(asked.read, paths),
      write: unusedOf(asked.write, paths),
      network: ask.network.filter((to) => !reached.some((facts) => facts.to === to)),
    },
    refused: network.filter(({ allowed, refused }) => allowed === 0 && refused > 0).map(({ to }) => to),
    limits,
    artifact: { tools, audience, components, purpose },
    asked: proposal.asked,
    neighbours: proposal.neighbours,
    notes: notesOf(recorded, { was, cwd }),
    commands,
    script: scriptOf(commands, tools),
  };
}

function isFor(access: NarrowPath['access']): (narrow: NarrowPath) => boolean {
  return (narrow) => narrow.access === access;
}

function pathsOf(cwd: string, { read, write }: ExecAsk): Pick<ExecAsk, 'read' | 'write'> {
  const real = (path: string): string => realPath(cwd, path);
  return { read: read.map(real), write: write.map(real) };
}

function unusedOf(asked: readonly string[], paths: readonly NarrowPath[]): readonly string[] {
  return asked.filter((root) => !paths.some(({ path }) => isBeneath(root, path)));
}

/** Whether the sandbox has a folder once these paths are granted. */
function isBrought(folder: string, paths: readonly NarrowPath[]): boolean {
  return (
    folder === '/tmp' ||
    isBeneath('/usr', folder) ||
    paths.some(({ path }) => isBeneath(folder, path) || isBeneath(path, folder))
  );
}

function proposedLimits(limits: ExecProposal['limits']): Limits {
  return {
    wallSeconds: limits.wallSeconds.proposed,
    cpuSeconds: limits.cpuSeconds.proposed,
    memoryBytes: limits.memoryBytes.proposed,
    processes: limits.processes.proposed,
    fileBytes: limits.fileBytes.proposed,
    openFiles: limits.openFiles.proposed,
    networkBytes: limits.networkBytes.proposed,
  };
}

/** Only where every file that was written is told of. */
function largestOf(
  written:
    | { readonly count: number; readonly complete: boolean; readonly files: readonly { bytes: number }[] }
    | undefined,
): { readonly largestFileBytes?: number } {
  if (written === undefined || !written.complete || written.count > written.files.length) return {};
  return { largestFileBytes: Math.max(0, ...written.files.map(({ bytes }) => bytes)) };
}

/** How Writ is called here, in the domain that was named. */
function writCommand({ surroundings, homeOption }: Session): readonly string[] {
  return [...surroundings.program, ...(homeOption === undefined ? [] : ['--home', homeOption])];
}

function impossible({ detail }: Denial): Error {
  return failure(
    'proposal.impossible',
    `no artifact can grant what it used: ${detail}`,
    'let it use less, or keep what must not be granted elsewhere',
  );
}
