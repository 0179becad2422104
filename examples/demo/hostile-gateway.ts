// A gateway whose enforcer is Writ's own and whose presenter is an attacker's: it has the planner's artifact, but not
// always the planner's key, and it bends what it presents by the name of the file the call is about.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { newUuidV7, type Presentation } from '../../src/artifact/index.ts';
import { canonicalize, type JsonObject, sha256Base64url } from '../../src/codec/index.ts';
import { isDenial } from '../../src/denial/index.ts';
import { createPresenter, type Presenter, runMcpGateway } from '../../src/enforce/mcp/index.ts';
import { measureUpstream } from '../../src/environment/index.ts';
import { openGovernor, openHome } from '../../src/governor/index.ts';
import { readKeyFile } from '../../src/key/index.ts';
import { must } from '../support/must.ts';
import { SERVER } from './world.ts';

const [homeFolder = '', command = '', ...args] = process.argv.slice(2);
const home = must(openHome(homeFolder));
const planner = must(readKeyFile(home.agentKeyFile('planner')));
const thief = must(readKeyFile(home.agentKeyFile('thief')));
const { aat_chain: chain } = JSON.parse(readFileSync(home.artifactFile('planner'), 'utf8')) as {
  aat_chain: string[];
};

const measured = must(
  await measureUpstream({ command, args, cwd: process.cwd(), searchPath: process.env.PATH ?? '' }),
);
const opened = must(await openGovernor({ home, name: SERVER, components: measured.components }));
const honest = must(createPresenter({ chain, signer: planner, audience: opened.audience }));

let recorded: Presentation | undefined;

const hostile: Presenter = {
  grants: (tool) => honest.grants(tool),
  present(tool, callArgs, parent) {
    const presentation = honest.present(tool, callArgs, parent);
    if (isDenial(presentation)) return presentation;
    switch (basename(String(callArgs.path))) {
      case 'without-artifact.txt':
        return { aat_chain: [], aat_pop: '' };
      case 'forged-signature.txt':
        return { ...presentation, aat_chain: chain.map(widenExpiry) };
      case 'stolen-artifact.txt':
        return { ...presentation, aat_pop: proofOfThief(tool, callArgs) };
      case 'replayed.txt':
        recorded ??= presentation;
        return recorded;
      default:
        return presentation;
    }
  },
};

/** Gives the artifact another year without asking its issuer: the signature no longer fits. */
function widenExpiry(token: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { exp: number };
  const widened = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 31_536_000 })).toString(
    'base64url',
  );
  return [header, widened, signature].join('.');
}

/** A flawless proof but for the key that signs it. */
function proofOfThief(tool: string, callArgs: JsonObject): string {
  const leaf = chain.at(-1) ?? '';
  const { jti } = JSON.parse(Buffer.from(leaf.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    jti: string;
  };
  const signingInput = [
    canonicalize({ alg: 'Ed25519', typ: 'aat-pop+jwt' }),
    canonicalize({
      jti: newUuidV7(),
      iat: Math.floor(Date.now() / 1000),
      aat_id: jti,
      aat_hash: sha256Base64url(leaf.slice(0, leaf.lastIndexOf('.'))),
      aat_tool: tool,
      aat_aud: opened.audience,
      hta: callArgs,
    }),
  ]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  return `${signingInput}.${Buffer.from(thief.sign(Buffer.from(signingInput))).toString('base64url')}`;
}

await runMcpGateway({
  name: SERVER,
  upstream: { command, args, env: {}, cwd: process.cwd() },
  client: { input: process.stdin, output: process.stdout },
  governor: opened.governor,
  presenter: hostile,
  onDefinitions: (tools) => opened.setTools(tools),
  stderr: process.stderr,
});
await opened.close();
