import { isDenial } from '../denial/index.ts';
import { type Home, listExecutionLogs, openHome } from '../governor/index.ts';
import type { ExitCode } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { checkConfinement } from './confinement-check.ts';
import {
  checkAgents,
  checkAnchors,
  checkArtifacts,
  checkClock,
  checkKeys,
  checkNode,
  checkPolicy,
  checkServers,
  checkSpace,
  type Finding,
} from './doctor-checks.ts';
import { readGovernance } from './governance.ts';
import { checkExecutionLog, checkGovernanceLog, type LogCheck } from './log-check.ts';
import type { Session } from './session.ts';
import { bad, faint, good, warn } from './text.ts';

export const define: Define = (command, act) => {
  command
    .description(
      `Check that everything is in order: Node, keys and their permissions, the governance log and every execution log,
anchors, policy, agents, artifacts, servers, the confinement of programs, clock and space. Each line says what to do. Exits 1 if anything fails.`,
    )
    .addHelpText('after', examples('$ writ doctor', '$ writ doctor --json'))
    .action(act(doctor));
};

async function doctor(session: Session): Promise<ExitCode> {
  const { output } = session;
  const findings = await output.during('checking', () => examine(session));
  const failed = findings.some(({ status }) => status === 'fail');
  output.answer({ healthy: !failed, findings }, () => {
    for (const { check, status, detail, hint } of findings) {
      const mark = status === 'ok' ? good('ok    ') : status === 'warn' ? warn('warn  ') : bad('fail  ');
      output.line(mark, check.padEnd(14), detail);
      if (hint !== undefined) output.line(' '.repeat(20), faint('→ '), hint);
    }
  });
  return failed ? 1 : 0;
}

async function examine(session: Session): Promise<readonly Finding[]> {
  const { surroundings, nowSeconds } = session;
  const findings: Finding[] = [checkNode(process.versions.node)];
  const folder = await session.findHomeFolder();
  if (folder === undefined) {
    const detail = `no trust domain at or above ${surroundings.cwd}`;
    return [
      ...findings,
      { check: 'home', status: 'fail', detail, hint: 'run "writ init", or name one with --home DIR' },
    ];
  }
  const home = openHome(folder);
  if (isDenial(home)) return [...findings, { check: 'home', status: 'fail', detail: home.detail }];
  findings.push({ check: 'home', status: 'ok', detail: `${home.domain}, ${home.folder}` });
  findings.push(...checkKeys(home), checkSpace(home));
  const governance = await checkGovernanceLog(home);
  findings.push(findingOf(governance));
  if (!governance.verified) return findings;
  return [...findings, ...(await examineState(home, session, nowSeconds))];
}

async function examineState(home: Home, session: Session, nowSeconds: number): Promise<readonly Finding[]> {
  const view = readGovernance(home);
  const findings: Finding[] = [
    checkAnchors(home, view),
    ...checkPolicy(home, view),
    ...checkAgents(home, view),
    ...checkArtifacts(home, view, nowSeconds),
    ...(await checkServers(home, session.surroundings.path)),
    await checkConfinement(home),
  ];
  for (const name of listExecutionLogs(home)) {
    findings.push(findingOf(await checkExecutionLog(home, name, view.state)));
  }
  findings.push(checkClock(home, nowSeconds));
  return findings;
}

function findingOf({ log, verified, entries, problems }: LogCheck): Finding {
  const check = log === 'governance' ? 'governance' : `log ${log}`;
  if (verified) return { check, status: 'ok', detail: `${entries ?? 0} entries verify` };
  const [first] = problems;
  return {
    check,
    status: 'fail',
    detail: first === undefined ? 'it does not verify' : `${first.where}: ${first.detail}`,
    hint: `see all of it with "writ log verify ${log === 'governance' ? '--governance' : `--log ${log}`}"`,
  };
}
