import { type VerifiedChain, verifyChain } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import type { GovernanceState, Revoked } from '../governance/index.ts';
import {
  type ExecutionAtStake,
  effectOfRevocation,
  type Home,
  type RevocationEffect,
  relevantTexts,
} from '../governor/index.ts';
import { listArtifactFiles, readArtifactFile } from './artifact-file.ts';
import { formatDuration, formatTime } from './duration.ts';
import { namingOf, withLineage } from './lineage-source.ts';
import type { Session } from './session.ts';
import { faint, strong, warn } from './text.ts';

/** Says what a revocation would stop now. Nothing is written. */
export async function previewRevocation(
  session: Session,
  home: Home,
  state: GovernanceState,
  event: Revoked,
  max: number,
): Promise<void> {
  const { output, nowSeconds } = session;
  const effect = await withLineage(home, session, (reader) =>
    output.during('reading the logs', async () =>
      effectOfRevocation(state, event, reader.decisions(relevantTexts(event, state)), {
        nowSeconds,
        max,
        chains: storedChains(home, state, nowSeconds),
      }),
    ),
  );
  const { handle, value } = event;
  output.answer({ dryRun: true, handle, value, ...effect }, () => {
    output.line(strong('would revoke '), `${handle} ${value}`, faint('  nothing is written'));
    if (effect.already) output.line(faint('it is revoked already: nothing would change'));
    else tell(session, home, effect);
  });
}

function tell({ output, nowSeconds }: Session, home: Home, effect: RevocationEffect): void {
  const { nameOf } = namingOf(home);
  const { tokens, agents, running, parents } = effect;
  if (effect.isActivePolicy) {
    output.line(warn('it is the active policy: every call is denied until another is published'));
  }
  for (const name of effect.enforcementPoints) {
    output.line(warn(`${name} runs in this environment: every call there is denied until it changes`));
  }
  const heading = (title: string, count: number) => {
    output.line();
    output.line(strong(title), `  ${count}`);
  };
  const more = ({ count, listed }: { readonly count: number; readonly listed: readonly unknown[] }) => {
    if (count > listed.length) output.line(faint(`  … ${count - listed.length} more (--max lists more)`));
  };
  heading('live tokens that end', tokens.count);
  for (const { jti, depth, holder, expiresBySeconds } of tokens.listed) {
    const left =
      expiresBySeconds === null
        ? 'expiry not on record'
        : `${depth === 0 ? 'would expire in' : 'would expire within'} ${formatDuration(expiresBySeconds - nowSeconds)}`;
    output.line(`  ${depth === 0 ? 'root   ' : 'derived'}  ${jti}  ${nameOf(holder)}`, faint(`  ${left}`));
  }
  more(tokens);
  heading('agents that lose authority', agents.length);
  for (const { agent, ends, remains } of agents) {
    const left =
      remains === 0
        ? 'no root token is on record that is left to it'
        : `${remains} root tokens are left to it`;
    output.line(`  ${nameOf(agent)}`, faint(`  ${ends} end, ${left}`));
  }
  const executions = (list: RevocationEffect['running']) => {
    for (const item of list.listed) output.line(...describe(item, nameOf));
    more(list);
  };
  heading('executions that run, or whose end is unknown', running.count);
  executions(running);
  heading('executions that could be followed by others, and no longer', parents.count);
  executions(parents);
  output.line();
  output.line(
    faint('tokens that were derived elsewhere and never used here are not known, and end with these'),
  );
}

function describe(
  { execution, tool, agent, atMs, outcome, log }: ExecutionAtStake,
  nameOf: (s: string) => string,
) {
  return [
    `  ${execution}  ${tool}  ${nameOf(agent)}`,
    faint(`  ${log}, ${formatTime(Math.floor(atMs / 1000))}${outcome === null ? '' : `, ${outcome}`}`),
  ];
}

/** Artifacts in the domain's folder that verify now, derived ones among them. */
function storedChains(home: Home, { anchors }: GovernanceState, nowSeconds: number): VerifiedChain[] {
  return listArtifactFiles(home).flatMap((path) => {
    const chain = readArtifactFile(path);
    const verified = isDenial(chain) ? chain : verifyChain(chain, { anchors, nowSeconds });
    return isDenial(verified) ? [] : [verified];
  });
}
