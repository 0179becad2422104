import { readToken, type UnverifiedToken, verifyChain } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import { revocationHandlesOf } from '../governance/index.ts';
import { type GovernanceView, openHome } from '../governor/index.ts';
import { artifactPath, mustReadArtifact } from './artifact-file.ts';
import { failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { formatDuration, formatTime } from './duration.ts';
import { readGovernance } from './governance.ts';
import type { Session } from './session.ts';
import { bad, faint, good, type Part, strong, warn } from './text.ts';
import { describeArguments, type ToolGrants } from './tool-grants.ts';

/** More tokens than any valid chain has, few enough to print. */
const MAX_TOKENS = 64;

/** What the trust domain at hand says of the chain; nothing where there is none. */
interface Standing {
  readonly verdict: 'valid' | 'invalid' | 'unchecked';
  readonly code?: string;
  readonly detail?: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Show what an artifact grants: its tokens from the root down, each narrowing the one above, and every token's
restrictions. Inside a trust domain also whether it verifies there and now.`,
    )
    .argument('<name|file>', 'a stored artifact, or a file with an aat_chain')
    .addHelpText(
      'after',
      examples('$ writ artifact inspect builder-fs', '$ writ artifact inspect call.json --json'),
    )
    .action(act(inspect));
};

async function inspect(session: Session, nameOrFile: string): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  const folder = await session.findHomeFolder();
  const opened = folder === undefined ? undefined : openHome(folder);
  const home = opened === undefined || isDenial(opened) ? undefined : opened;
  const chain = mustReadArtifact(artifactPath(home, surroundings.cwd, nameOrFile));
  if (chain.length > MAX_TOKENS) {
    throw failure('artifact.malformed', `the chain has ${chain.length} tokens; no valid one has`);
  }
  const tokens = chain.map((compact) => readToken(compact));
  const view = home === undefined ? undefined : readGovernance(home);
  const standing = standingOf(chain, view, nowSeconds);
  const answer = {
    standing,
    tokens: tokens.map((token) =>
      isDenial(token) ? { problem: { code: token.code, detail: token.detail } } : tokenJson(token, view),
    ),
  };
  output.answer(answer, () => {
    for (const [depth, token] of tokens.entries()) {
      const indent = '   '.repeat(depth);
      const head = depth === 0 ? '' : `${'   '.repeat(depth - 1)}└─ `;
      if (isDenial(token)) output.line(faint(head), bad('unreadable token'), ` ${token.detail}`);
      else {
        output.line(faint(head), strong(token.jti));
        for (const [label, value] of describe(token, view, nowSeconds)) {
          output.line(indent, '  ', faint(label.padEnd(10)), value);
        }
      }
    }
    output.line();
    output.line(...describeStanding(standing));
  });
}

function standingOf(
  chain: readonly string[],
  view: GovernanceView | undefined,
  nowSeconds: number,
): Standing {
  if (view === undefined) return { verdict: 'unchecked' };
  const verified = verifyChain(chain, { anchors: view.state.anchors, nowSeconds });
  if (isDenial(verified)) return { verdict: 'invalid', code: verified.code, detail: verified.detail };
  const revocation = view.state.findRevocation(revocationHandlesOf(verified, view.state));
  return revocation === undefined
    ? { verdict: 'valid' }
    : { verdict: 'invalid', code: 'revocation.revoked', detail: `${revocation.handle} ${revocation.value}` };
}

function describeStanding({ verdict, code, detail }: Standing): readonly Part[] {
  if (verdict === 'valid') return [good('valid here and now')];
  if (verdict === 'invalid') return [bad('not valid here'), ` ${code} `, faint(detail ?? '')];
  return [warn('not verified'), faint(' no trust domain at hand: signatures were not checked')];
}

function tokenJson(token: UnverifiedToken, view: GovernanceView | undefined): { [name: string]: unknown } {
  const { jti, iss, iatSeconds, expSeconds, nbfSeconds, audiences, depth, maxDepth, holder, writ } = token;
  const agent = view?.state.agentByThumbprint(holder.thumbprint)?.subject;
  return {
    jti,
    issuer: iss,
    holder: holder.thumbprint,
    ...(agent === undefined ? {} : { agent }),
    issuedAt: iatSeconds,
    ...(nbfSeconds === undefined ? {} : { notBefore: nbfSeconds }),
    expires: expSeconds,
    ...(audiences === undefined ? {} : { audiences }),
    depth,
    maxDepth,
    tools: token.toolsJson ?? {},
    writ,
  };
}

function describe(
  token: UnverifiedToken,
  view: GovernanceView | undefined,
  nowSeconds: number,
): readonly (readonly [string, Part])[] {
  const { iss, holder, audiences, depth, maxDepth, writ } = token;
  const agent = view?.state.agentByThumbprint(holder.thumbprint)?.subject;
  const { initiator, attribution, environment, governance, use } = writ;
  const lines: [string, Part][] = [
    ['issuer', iss],
    ['holder', agent ?? holder.thumbprint],
    ['validity', validity(token, nowSeconds)],
    ['audience', audiences?.join(', ') ?? faint('any')],
    ['depth', `${depth} of ${maxDepth}`],
  ];
  // Only the root's count (DESIGN §4).
  if (depth === 0 && initiator !== undefined)
    lines.push(['initiator', `${initiator.id} (${initiator.kind})`]);
  if (depth === 0 && attribution !== undefined) lines.push(['owner', attribution.owner]);
  for (const [label, claim] of [
    ['purpose', governance?.purpose],
    ['reference', governance?.reference],
    ['risk', governance?.risk],
    ['policy', governance?.policy],
    ['approvals', governance?.approvals],
    ['environs', environment],
    ['uses', use],
  ] as const) {
    if (claim !== undefined) lines.push([label, typeof claim === 'string' ? claim : compact(claim)]);
  }
  const tools = Object.entries((token.toolsJson ?? {}) as ToolGrants);
  if (tools.length === 0) lines.push(['grants', warn('nothing')]);
  for (const [tool, map] of tools) lines.push(['grants', `${tool}  (${describeArguments(map)})`]);
  return lines;
}

function validity({ nbfSeconds, iatSeconds, expSeconds }: UnverifiedToken, nowSeconds: number): Part {
  const from = nbfSeconds ?? iatSeconds;
  const span = `${formatTime(from)} to ${formatTime(expSeconds)}`;
  if (expSeconds <= nowSeconds) return bad(`${span}, expired ${formatDuration(nowSeconds - expSeconds)} ago`);
  if (from > nowSeconds) return warn(`${span}, begins in ${formatDuration(from - nowSeconds)}`);
  return `${span}, ${formatDuration(expSeconds - nowSeconds)} left`;
}

function compact(claim: object): string {
  return JSON.stringify(claim);
}
