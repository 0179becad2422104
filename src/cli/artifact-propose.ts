import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  type Home,
  issueArtifact,
  type Proposal,
  proposeChange,
  publishPolicy,
  writeFileDurably,
} from '../governor/index.ts';
import { agentName } from './agents.ts';
import { checkArtifactName, writeArtifact } from './artifact-file.ts';
import { denied, type ExitCode, failure } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { currentCall } from './current-call.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { readGovernance } from './governance.ts';
import type { Output } from './output.ts';
import type { Session } from './session.ts';
import { bad, faint, good, strong, warn } from './text.ts';
import { visibleJson } from './visible-json.ts';

interface Options {
  readonly sign?: boolean;
  readonly ttl: string;
  readonly out?: string;
  readonly replace?: boolean;
}

export const define: Define = (command, act) => {
  command
    .description(
      `From a denial, propose the narrowest change that would have permitted it: an artifact that grants exactly this tool with
exactly these arguments, a policy that permits exactly this, or both. It is shown as a diff, and tried: the call is decided again
under it, and so are calls next to it, which must stay denied. Nothing is signed or written without --sign.

Denials that it helps with: scope.tool_not_granted, scope.arguments_not_granted, policy.not_permitted.`,
    )
    .argument('<receipt>', 'execution id of the denial, as "writ log show --deny" lists it')
    .option('--sign', 'issue the artifact and publish the policy')
    .option('--ttl <duration>', 'how long the artifact is valid: 30m, 8h, 7d', '1h')
    .option('--out <name>', 'name to store the artifact under (default: <agent>-proposed)')
    .option('--replace', 'replace a stored artifact of that name')
    .addHelpText(
      'after',
      examples(
        '$ writ artifact propose 019ac1de-…',
        '$ writ artifact propose 019ac1de-… --sign --out builder-fs --replace',
      ),
    )
    .action(act(propose));
};

async function propose(session: Session, id: string, options: Options): Promise<ExitCode> {
  const { output } = session;
  const home = await session.openHome();
  const ttlSeconds = parseDuration(options.ttl, '--ttl');
  const proposal = proposalFor(session, home, id);
  const opened = proposal.neighbours.filter((neighbour) => neighbour.opened);
  if (options.sign === true && opened.length > 0) {
    throw failure(
      'proposal.too_wide',
      `it would also permit: ${opened.map(({ change }) => change).join(', ')}`,
      'write the policy by hand, or constrain what policies cannot see in the artifact',
    );
  }
  const signed = options.sign === true ? await sign(session, home, proposal, ttlSeconds, options) : undefined;
  const { artifact, policy, ...rest } = proposal;
  const answer = {
    ...rest,
    artifact: artifact ?? null,
    policy: policy === undefined ? null : { path: policy.path, text: policy.text, unseen: policy.unseen },
    signed: signed ?? null,
  };
  output.answer(answer, () => tell(output, proposal, signed, ttlSeconds));
  return opened.length === 0 ? 0 : 1;
}

function proposalFor({ surroundings }: Session, home: Home, id: string): Proposal {
  const { receipt, action, snapshot } = currentCall(home, id, surroundings.clockMs() / 1000);
  const proposal = proposeChange(receipt, action, snapshot, home.issuer);
  if (isDenial(proposal)) throw denied(proposal);
  return proposal;
}

interface Signed {
  readonly artifact?: { readonly name: string; readonly file: string; readonly jti: string };
  readonly policy?: { readonly digest: string; readonly file: string };
}

async function sign(
  session: Session,
  home: Home,
  { artifact, policy, holder, holderThumbprint }: Proposal,
  ttlSeconds: number,
  options: Options,
): Promise<Signed> {
  const { nowSeconds } = session;
  const by = { actor: session.actor(home), atSeconds: nowSeconds };
  const name = options.out ?? `${agentName(home, holder) ?? 'agent'}-proposed`;
  const replace = options.replace === true;
  if (artifact !== undefined) checkArtifactName(home, name, { replace });
  let published: Signed['policy'];
  if (policy !== undefined) {
    const refused = await publishPolicy(home, policy.bundle, by);
    if (refused !== undefined) throw denied(refused);
    const file = join(home.folder, 'policy', policy.path);
    // Beside the others, so that publishing the folder again does not take it back.
    if (!existsSync(file)) writeFileDurably(file, policy.text, 0o644);
    published = { digest: policy.bundle.digest, file };
  }
  if (artifact === undefined) return published === undefined ? {} : { policy: published };
  const { state } = readGovernance(home);
  // The key that asked: the agent may have others, elsewhere.
  const key = state.agentBySubject(holder)?.keys.find(({ thumbprint }) => thumbprint === holderThumbprint);
  if (key === undefined)
    throw failure('not_found', `${holder} is no longer enrolled with the key that asked`);
  const issued = await issueArtifact(
    home,
    {
      ...artifact.grant,
      holder: key,
      iatSeconds: nowSeconds,
      expSeconds: nowSeconds + ttlSeconds,
    },
    by,
  );
  if (isDenial(issued)) throw denied(issued);
  const file = writeArtifact(home, name, [issued.compact], { replace });
  return {
    artifact: { name, file, jti: issued.jti },
    ...(published === undefined ? {} : { policy: published }),
  };
}

function tell(output: Output, proposal: Proposal, signed: Signed | undefined, ttlSeconds: number): void {
  const { tool, holder, artifact, policy, asked, neighbours } = proposal;
  output.line(strong(tool), faint(`  for ${holder}`));
  output.line();
  if (artifact !== undefined) {
    const beside = artifact.apart ? ', beside the one that grants this tool otherwise' : '';
    output.line(faint(`artifact, valid for ${formatDuration(ttlSeconds)}${beside}`));
    diff(output, artifact.apart ? {} : artifact.before, artifact.grant.tools);
    output.line();
  }
  if (policy !== undefined) {
    output.line(faint(`policy, new file ${policy.path}`));
    for (const line of policy.text.trimEnd().split('\n')) output.line(good(`+ ${line}`));
    if (policy.unseen.length > 0) {
      output.line(warn('policies cannot see exactly: '), policy.unseen.join(', '));
    }
    output.line();
  }
  output.line(good('✓ '), 'decided again under it, the call gets ', strong(asked));
  for (const { change, code, opened } of neighbours) {
    output.line(opened ? bad('✗ ') : good('✓ '), `with ${change}: `, code);
  }
  output.line();
  if (signed === undefined) {
    output.line(faint('nothing is signed yet: read it, and add --sign'));
    return;
  }
  if (signed.policy !== undefined)
    output.line(good('published '), signed.policy.digest, faint(`  ${signed.policy.file}`));
  if (signed.artifact !== undefined) {
    output.line(good('issued '), signed.artifact.name, faint(`  ${signed.artifact.file}`));
    output.line(faint('undo   '), `writ artifact revoke --artifact ${signed.artifact.name} --reason "…"`);
  }
}

/** The tools of two artifacts: what is new with a plus, what stays without. */
function diff(
  output: Output,
  before: { readonly [tool: string]: JsonObject },
  after: { readonly [tool: string]: JsonObject },
): void {
  for (const [tool, map] of Object.entries(after)) {
    const isNew = !Object.hasOwn(before, tool);
    const [first = '', ...rest] = visibleJson({ [tool]: map })
      .split('\n')
      .slice(1, -1);
    for (const line of [first, ...rest]) output.line(isNew ? good(`+ ${line}`) : faint(`  ${line}`));
  }
}
