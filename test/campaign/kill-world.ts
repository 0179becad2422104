import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROGRAM } from '../../examples/support/program.ts';
import { mcpToolId } from '../../src/enforce/mcp/index.ts';
import {
  createDomain,
  enrollAgent,
  type Home,
  issueArtifact,
  publishPolicy,
} from '../../src/governor/index.ts';
import { SigningKey, writeKeyFile } from '../../src/key/index.ts';
import { buildPolicyBundle } from '../../src/policy/index.ts';
import { EFFECT_TOOLS } from '../fixtures/effects-server-tools.ts';
import { must, nowSeconds } from '../support/trust-domain.ts';

export const GATEWAY_NAME = 'fx';
export const RECORD = mcpToolId(GATEWAY_NAME, 'tools', 'record');
/** A label that policy forbids, though the artifact grants it. */
export const FORBIDDEN_LABEL = 'forbidden';

const POLICY = `permit (principal, action, resource);

@id("not-with-this-label")
forbid (principal, action == Writ::Action::"${RECORD}", resource)
when { context.input has label && context.input.label == "${FORBIDDEN_LABEL}" };
`;

const AGENT = 'worker';
const EFFECTS_SERVER = fileURLToPath(new URL('../fixtures/effects-server.ts', import.meta.url));

/** A trust domain on disk, the effects file of its server, and how its gateway is started. */
export interface KillWorld {
  readonly home: Home;
  readonly chain: readonly string[];
  readonly effectsFile: string;
  readonly gatewayArgs: readonly string[];
  /** `<tool> <number>` lines that are whole. */
  effects(): string[];
  dispose(): void;
}

export async function makeKillWorld(): Promise<KillWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-kill-'));
  const by = { actor: 'kill-campaign', atSeconds: nowSeconds() };
  const home = must(await createDomain(join(folder, 'domain'), { name: 'kill.test', ...by }));
  const worker = SigningKey.generate();
  must(writeKeyFile(home.agentKeyFile(AGENT), worker));
  must(await enrollAgent(home, { subject: home.agent(AGENT), key: worker.publicKey, ...by }));
  const bundle = buildPolicyBundle({
    id: 'kill',
    policies: [{ path: 'kill.cedar', text: POLICY }],
    tools: EFFECT_TOOLS.map((definition) => ({
      server: GATEWAY_NAME,
      id: mcpToolId(GATEWAY_NAME, 'tools', String(definition.name)),
      definition,
    })),
  });
  if (!('digest' in bundle)) throw new TypeError(JSON.stringify(bundle));
  must(await publishPolicy(home, bundle, by));
  const { compact } = must(
    await issueArtifact(
      home,
      {
        holder: worker.publicKey,
        tools: { [RECORD]: {} },
        audiences: [home.audience(GATEWAY_NAME)],
        iatSeconds: by.atSeconds,
        expSeconds: by.atSeconds + 86_400,
        writ: { initiator: { id: home.agent(AGENT), kind: 'agent' } },
      },
      by,
    ),
  );
  const artifact = home.artifactFile(AGENT);
  mkdirSync(dirname(artifact), { recursive: true, mode: 0o700 });
  writeFileSync(artifact, JSON.stringify({ aat_chain: [compact] }), { mode: 0o600 });
  const effectsFile = join(folder, 'effects');
  return {
    home,
    chain: [compact],
    effectsFile,
    gatewayArgs: [
      PROGRAM,
      'mcp',
      ...[
        '--home',
        home.folder,
        '--name',
        GATEWAY_NAME,
        '--agent',
        AGENT,
        '--artifact',
        AGENT,
        '--daemon',
        'never',
      ],
      '--',
      ...[process.execPath, EFFECTS_SERVER, effectsFile],
    ],
    effects: () =>
      existsSync(effectsFile) ? readFileSync(effectsFile, 'utf8').split('\n').slice(0, -1) : [],
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What a person would run on the home afterwards: exit code and output of `writ log verify`. */
export function runLogVerify(home: Home): { readonly code: number; readonly output: string } {
  const args = [PROGRAM, 'log', 'verify', '--home', home.folder, '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return { code: status ?? -1, output: `${stdout}${stderr}` };
}

/**
 * Waits until no process is left that was started for this world: a server whose gateway was killed still does what
 * had been forwarded to it.
 */
export async function waitForSilence(world: KillWorld): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    if (!stdout.includes(world.effectsFile)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the effects server does not end');
}
