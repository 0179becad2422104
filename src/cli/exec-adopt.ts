import { resolve } from 'node:path';
import type { WritClaim } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  type Account,
  accountOf,
  accountText,
  confinerComponents,
  destinationText,
  type Effects,
  execPointName,
  execTool,
  findConfiner,
  parseNetwork,
  readProgram,
} from '../enforce/exec/index.ts';
import { CONFINEMENT_LAYERS, type Component, confinementComponent } from '../environment/index.ts';
import { type Home, isLocalName, issueArtifact } from '../governor/index.ts';
import type { VerificationKey } from '../key/index.ts';
import { writeArtifact } from './artifact-file.ts';
import { changeablePlaces } from './changeable-places.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { collect, type Define, examples } from './command.ts';
import { parseDuration } from './duration.ts';
import { addExecOptions, type ExecOptions, environmentOf, limitsOf } from './exec-options.ts';
import { pinTool } from './exec-pin.ts';
import { realPath } from './exec-program.ts';
import { addUseOptions, type GrantOptions, writClaimOf } from './grant-options.ts';
import { type By, ensureAgent } from './init-steps.ts';
import { argvOf, constraintsOf, stdinOf } from './program-constraints.ts';
import { type StoredProgram, writeProgram } from './program-file.ts';
import type { Session } from './session.ts';
import { findExecutable } from './surroundings.ts';
import { faint, good } from './text.ts';
import type { ToolGrants } from './tool-grants.ts';

interface Options extends ExecOptions, Pick<GrantOptions, 'maxUses' | 'window' | 'reference'> {
  readonly effects: string;
  readonly argv?: string;
  readonly anyArguments?: boolean;
  readonly agent?: string;
  readonly ttl: string;
  readonly purpose?: string;
  readonly account?: string;
  readonly stdin?: string;
  readonly weaker?: readonly string[];
  readonly pinOnly?: boolean;
}

const EFFECTS: readonly Effects[] = ['read', 'write', 'destructive'];

export const define: Define = (command, act) => {
  const described = addExecOptions(
    command
      .description(
        `Pin a program under a name: its path and digest (of a script, its interpreter's too) become part of the policy, and
the agent gets an artifact for it. What the options grant is what a call asks for unless it says otherwise; no call gets
more. Adopt it anew when the program was updated: until then it is denied (environment.tool_changed).`,
      )
      .argument('<name>', 'how "writ exec" and the tool exec://<name>/run call it')
      .argument('<program>', 'the program, after --')
      .option('--effects <what>', 'what it does to the world: read, write or destructive', 'destructive')
      .option(
        '--argv <file>',
        'which arguments it takes: an "argv" constraint as JSON (spec/artifact-constraints.md)',
      )
      .option('--any-arguments', 'any arguments at all: only for programs that can do nothing worse by them'),
  );
  addUseOptions(described)
    .option(
      '--stdin <digest>',
      'standard input is bound: read whole, hashed, and decided on; sha256:…, or "any" to have it on record only',
    )
    .option('--agent <name>', 'the agent that calls (default: the only one there is, else "agent")')
    .option('--ttl <duration>', 'how long the artifact is valid', '1d')
    .option(
      '--purpose <text>',
      'what it is for; the starter policy asks for it where effects are not only "read"',
    )
    .option('--account <uid[:gid]>', 'what it runs as, where Writ is root: not root (default: 60917)')
    .option(
      '--weaker <layer=state>',
      'a layer of the confinement that is known not to hold here: network=leaks, limits=absent (repeatable)',
      collect,
    )
    .option('--pin-only', 'grant nothing: the artifact is issued apart, by "writ artifact issue"')
    .addHelpText(
      'after',
      examples(
        '$ writ exec adopt count --effects read --read /srv/data --argv count.json -- /usr/bin/wc',
        '# count.json: {"flags": {"-l": {}}, "rest": {"constraint_type": "path_containment", "root": "/srv/data"}}',
        '$ writ exec -- count -l /srv/data/orders.csv',
      ),
    )
    .action(act(adopt));
};

async function adopt(session: Session, name: string, file: string, options: Options): Promise<void> {
  const { output, surroundings } = session;
  if (!isLocalName(name)) throw usageError(`"${name}" is no name`, 'use letters, digits and . _ ~ -');
  const effects = EFFECTS.find((known) => known === options.effects);
  if (effects === undefined)
    throw usageError(`--effects "${options.effects}" is none of ${EFFECTS.join(', ')}`);
  const ttlSeconds = parseDuration(options.ttl, '--ttl');
  const found = findExecutable(file, surroundings.path, surroundings.cwd);
  if (found === undefined) throw failure('not_found', `${file} is not an executable file`);
  const program = readProgram(resolve(found));
  if (isDenial(program)) throw denied(program);
  const home = await session.openHome();
  // Pinned: the artifact is for what confines here now, and for nothing weaker than what is named.
  const account = options.account === undefined ? undefined : parseAccount(options.account);
  const confiner = findConfiner(account === undefined ? {} : { account });
  if (isDenial(confiner)) throw denied(confiner);
  const weaker = (options.weaker ?? []).map(weakerLayer);
  const asked: StoredProgram = {
    path: program.path,
    digest: program.digest,
    ...(account === undefined ? {} : { account }),
    effects,
    read: (options.read ?? []).map((path) => realPath(surroundings.cwd, path)),
    write: (options.write ?? []).map((path) => realPath(surroundings.cwd, path)),
    network: networkOf(options.net ?? []),
    env: Object.fromEntries(environmentOf(options.env, surroundings.environment)),
    limits: limitsOf(options),
  };
  const { purpose, reference, maxUses, window } = options;
  const claim = writClaimOf(surroundings.cwd, {
    ...(purpose === undefined ? {} : { purpose }),
    ...(reference === undefined ? {} : { reference }),
    ...(maxUses === undefined ? {} : { maxUses }),
    ...(window === undefined ? {} : { window }),
  });
  const changeable = changeablePlaces(program);
  const tool = execTool(name, program, effects);
  const tools = {
    [tool.id]: {
      ...constraintsOf(program, asked, {
        argv: argvOf(surroundings.cwd, options),
        account: accountText(accountOf(confiner)),
      }),
      ...stdinOf(options),
    },
  };
  const by = { actor: session.actor(home), atSeconds: session.nowSeconds };
  const agent = await ensureAgent(home, options.agent, by);
  const point = execPointName(name);
  const { policy, changes } = await pinTool(home, tool, by);
  writeProgram(home, name, asked);
  const writ: WritClaim = {
    initiator: { id: by.actor, kind: 'human' },
    environment: { components: [...confinerComponents(confiner), ...weaker] },
    ...claim,
  };
  const artifact =
    options.pinOnly === true
      ? undefined
      : await grant(
          home,
          { name: `${agent.name}-${point}`, point, holder: agent.key, tools, writ, ttlSeconds },
          by,
        );
  output.answer(
    {
      name,
      tool: tool.id,
      program: program.path,
      programDigest: program.digest,
      agent: agent.name,
      artifact: artifact ?? null,
      policy: { digest: policy.bundle.digest, changed: policy.changed },
      changed: changes.changed.length > 0,
      changeable,
    },
    () => {
      output.line(good('adopted '), name, faint(`  ${program.path} ${program.digest}`));
      if (program.interpreter !== undefined) {
        output.line(
          faint('        run by '),
          program.interpreter.path,
          faint(` ${program.interpreter.digest}`),
        );
      }
      for (const place of changeable) {
        output.note(
          `others can change ${place}: let only root or your own account write there (chown, chmod go-w)`,
        );
      }
      if (artifact === undefined) {
        output.line(faint('nothing is granted yet: writ artifact issue'));
        return;
      }
      output.line(good('granted '), artifact.name, faint(`  to ${agent.name}, for ${options.ttl}`));
      output.line();
      output.line(`  writ exec -- ${name}`);
    },
  );
}

/** Signs and stores what the agent presents. */
async function grant(
  home: Home,
  asked: {
    readonly name: string;
    readonly point: string;
    readonly holder: VerificationKey;
    readonly tools: ToolGrants;
    readonly writ: WritClaim;
    readonly ttlSeconds: number;
  },
  by: By,
) {
  const { name, point, holder, tools, writ, ttlSeconds } = asked;
  const iatSeconds = by.atSeconds;
  const expSeconds = iatSeconds + ttlSeconds;
  const issued = await issueArtifact(
    home,
    { holder, tools, audiences: [home.audience(point)], iatSeconds, expSeconds, writ },
    by,
  );
  if (isDenial(issued)) throw denied(issued);
  writeArtifact(home, name, [issued.compact], { replace: true });
  return { name, jti: issued.jti, expires: expSeconds, tools };
}

/** Each destination in its one spelling, as calls are compared by it. */
function networkOf(texts: readonly string[]): readonly string[] {
  const network = parseNetwork(texts);
  if (isDenial(network)) throw usageError(`--net: ${network.detail}`, 'write --net api.example.org:443');
  return network.map(destinationText);
}

/** A layer's state as a component, by which the artifact names it. */
function weakerLayer(text: string): Component {
  const [layerName, stateName] = text.split('=');
  const layer = CONFINEMENT_LAYERS.find((known) => known === layerName);
  const state = (['leaks', 'absent'] as const).find((known) => known === stateName);
  if (layer === undefined || state === undefined) {
    throw usageError(
      `--weaker "${text}" names no layer and state`,
      `write leaks or absent after one of ${CONFINEMENT_LAYERS.join(', ')}`,
    );
  }
  return confinementComponent(layer, state);
}

function parseAccount(text: string): Account {
  const [, uid, gid = uid] = /^([1-9]\d{0,9})(?::([1-9]\d{0,9}))?$/.exec(text) ?? [];
  if (uid === undefined)
    throw usageError(`--account "${text}" is no account`, 'write numbers, not 0: 1500 or 1500:1500');
  return { uid: Number(uid), gid: Number(gid) };
}
