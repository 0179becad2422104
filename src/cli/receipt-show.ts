import { parseJsonObject } from '../codec/index.ts';
import { isDenial, STAGES } from '../denial/index.ts';
import { type ExecutionRecord, findExecution, type Home, readEvidenceKey } from '../governor/index.ts';
import { argumentsOfProof, type ProcessFacts } from '../receipt/index.ts';
import type { SqliteLogReader } from '../storage/index.ts';
import { denied, failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { actorOf, closeLogs, decisionsBackwards, openLogs } from './decisions.ts';
import type { Output } from './output.ts';
import { previewText } from './preview-text.ts';
import type { Session } from './session.ts';
import { bad, faint, good, type Part, strong, warn } from './text.ts';

interface Options {
  readonly reveal?: boolean;
}

const LAST = 'last';

export const define: Define = (command, act) => {
  command
    .description(
      `Show one decision: every stage's verdict, on what authority, in which environment, under which policy, and what
came of it. Of arguments and results it shows what the redaction rules of the policy let a receipt show. Arguments stay
sealed unless --reveal opens them with the domain's evidence key; what a rule calls secret was never kept.`,
    )
    .argument('<execution>', `execution id, as "writ log show" lists it, or "${LAST}"`)
    .option('--reveal', 'show the arguments of the call')
    .addHelpText('after', examples('$ writ receipt show last', '$ writ receipt show 0199… --reveal --json'))
    .action(act(show));
};

async function show(session: Session, id: string, options: Options): Promise<void> {
  const { output } = session;
  const home = await session.openHome();
  const found = mustFindExecution(home, id === LAST ? lastExecution(home) : id);
  const { log, reader, record } = found;
  try {
    const args = options.reveal === true ? reveal(home, reader, record) : undefined;
    const { decision, decisionIndex, outcome, outcomeIndex } = record;
    const answer = {
      log,
      index: decisionIndex,
      decision,
      ...(outcome && { outcome, outcomeIndex }),
      ...(args === undefined ? {} : { arguments: args }),
    };
    output.answer(answer, () => tell(output, home, found, args));
  } finally {
    reader.close();
  }
}

/** An execution by id, in whichever log of the domain it is. The caller closes the reader. */
export function mustFindExecution(home: Home, id: string): NonNullable<ReturnType<typeof findExecution>> {
  const found = findExecution(home, id);
  if (found !== undefined) return found;
  throw failure(
    'not_found',
    `no log of ${home.domain} knows the execution ${id}`,
    'list them with "writ log show"',
  );
}

export function lastExecution(home: Home): string {
  const readers = openLogs(home, undefined, () => undefined);
  try {
    let last: { id: string; atMs: number } | undefined;
    for (const [log, reader] of readers) {
      for (const { receipt } of decisionsBackwards(log, reader)) {
        if (last === undefined || receipt.atMs > last.atMs) last = receipt;
        break;
      }
    }
    if (last !== undefined) return last.id;
  } finally {
    closeLogs(readers);
  }
  throw failure('not_found', 'no decision has been recorded yet', 'run a gateway with "writ mcp" first');
}

/** The arguments, unsealed; null where they were withheld or erased. */
function reveal(home: Home, reader: SqliteLogReader, { decision }: ExecutionRecord): unknown {
  const key = readEvidenceKey(home.evidenceKeyFile);
  if (isDenial(key)) throw denied(key);
  const address = decision.evidence.request;
  const bytes = address === undefined ? undefined : reader.readEvidence(address, key);
  if (bytes === undefined) return null;
  const request = parseJsonObject(bytes, 'log.unavailable', { maxBytes: 16 * 1024 * 1024, maxDepth: 128 });
  if (isDenial(request)) return null;
  return request.args ?? argumentsOfProof(request.pop) ?? null;
}

function tell(
  output: Output,
  home: Home,
  { log, record }: { readonly log: string; readonly record: ExecutionRecord },
  args: unknown,
): void {
  const { decision, decisionIndex, outcome } = record;
  const { verdict, code, detail, tool, id, atMs, artifact, environment, policy, lineage } = decision;
  const row = (label: string, ...parts: readonly Part[]) => output.line(faint(label.padEnd(12)), ...parts);
  output.line(verdict === 'permit' ? good(verdict) : bad(verdict), '  ', strong(tool === '' ? '–' : tool));
  output.line();
  row('execution', id);
  row('recorded', new Date(atMs).toISOString(), faint(`  entry ${decisionIndex} of log ${log}`));
  if (code !== undefined) row('reason', code, faint(`  ${detail ?? ''}`));
  row('agent', actorOf(home, decision));
  if (artifact !== undefined) {
    row('authority', artifact.tokenIds.join(' → '), faint(`  issued by ${artifact.issuer}`));
    if (artifact.initiator !== undefined)
      row('initiator', `${artifact.initiator.id} (${artifact.initiator.kind})`);
    if (artifact.purpose !== undefined) row('purpose', artifact.purpose);
  }
  if (lineage?.parent !== undefined) row('parent', lineage.parent, faint(`  depth ${lineage.depth}`));
  if (environment !== undefined)
    row('environment', environment.digest, faint(`  assurance ${environment.assurance}`));
  if (policy !== undefined) {
    row('policy', policy.id, faint(`  ${policy.digest}`));
    if (policy.determining !== undefined) row('', faint('decided by '), policy.determining.join(', '));
  }
  if (decision.approvals !== undefined) {
    const { required, given } = decision.approvals;
    row('approvals', 'needs ', required.map(({ role, threshold }) => `${threshold} ${role}`).join(', '));
    for (const { approver, role, decision: said } of given) {
      row('', said === 'approve' ? good('approved ') : bad('rejected '), `by ${approver} as ${role}`);
    }
  }
  if (decision.preview !== undefined) row('shows', previewText(decision.preview));
  if (args !== undefined) row('arguments', args === null ? warn('withheld or erased') : JSON.stringify(args));
  if (outcome !== undefined) {
    const { status, code, note, durationMs, result } = outcome;
    row(
      'outcome',
      status === 'succeeded' ? good(status) : warn(code === undefined ? status : `${status} ${code}`),
      faint(
        `  ${durationMs} ms${result === undefined ? '' : `, ${result.bytes} bytes`}${note === undefined ? '' : `, ${note}`}`,
      ),
    );
    if (outcome.process !== undefined) row('process', processText(outcome.process));
    if (outcome.preview !== undefined) row('result', previewText(outcome.preview));
  } else if (verdict === 'permit')
    row('outcome', warn('none recorded'), faint('  it runs, or its end is unknown'));
  output.line();
  const marks = { pass: good('✓ '), fail: bad('✗ '), skip: faint('– ') } as const;
  for (const stage of STAGES) output.line(marks[decision.stages[stage]], stage);
}

function processText(facts: ProcessFacts): string {
  const {
    exitCode,
    signal,
    cpuMs,
    memoryPeakBytes,
    outOfMemory,
    stdout,
    stderr,
    written,
    network = [],
  } = facts;
  return [
    exitCode === undefined ? `killed${signal === undefined ? '' : ` (${signal})`}` : `exit code ${exitCode}`,
    ...(cpuMs === undefined ? [] : [`${cpuMs} ms of processor time`]),
    ...(memoryPeakBytes === undefined ? [] : [`${Math.ceil(memoryPeakBytes / 1024 / 1024)} MiB at most`]),
    ...(outOfMemory === true ? ['out of memory'] : []),
    ...(stdout === undefined ? [] : [`stdout ${streamText(stdout)}`]),
    ...(stderr === undefined ? [] : [`stderr ${streamText(stderr)}`]),
    ...(written === undefined ? [] : [`${written.count}${written.complete ? '' : ' or more'} files written`]),
    ...network.map(
      ({ to, allowed, refused, bytesOut, bytesIn }) =>
        `${to}: ${allowed} connected, ${refused} refused, ${bytesOut} bytes sent, ${bytesIn} received`,
    ),
  ].join(', ');
}

function streamText(facts: NonNullable<ProcessFacts['stdout']>): string {
  return facts === 'not_counted'
    ? 'not counted'
    : `${facts.bytes}${facts.partial === true ? ' or more' : ''} bytes`;
}
