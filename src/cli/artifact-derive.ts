import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { deriveToken, readToken, type UnverifiedToken } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import type { Home } from '../governor/index.ts';
import { readKeyFile, type SigningKey, type VerificationKey } from '../key/index.ts';
import { enrolledKey, findHolderKey, readJwkFile } from './agents.ts';
import { artifactPath, checkArtifactName, mustReadArtifact, writeArtifact } from './artifact-file.ts';
import { denied, failure, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { formatDuration, formatTime, parseDuration } from './duration.ts';
import { readGovernance } from './governance.ts';
import {
  addGrantOptions,
  audiencesOf,
  type GrantOptions,
  maxDepthOf,
  readToolGrants,
  writClaimOf,
} from './grant-options.ts';
import { type PassphraseOptions, readPassphrase } from './passphrase.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';
import { describeArguments, type ToolGrants } from './tool-grants.ts';

interface Options extends GrantOptions, PassphraseOptions {
  readonly from: string;
  readonly holder: string;
  readonly key?: string;
  readonly out: string;
}

export const define: Define = (command, act) => {
  command
    .description(
      `Hand part of an artifact on to another holder: signs a token below it that can only narrow what it grants.
Done offline with the key of the artifact's holder; neither the issuer nor the governance log is needed.`,
    )
    .requiredOption('--from <name|file>', 'the artifact to derive from')
    .requiredOption('--holder <agent|jwk file>', 'who will hold the derived artifact')
    .option('--ttl <duration>', 'how long it is valid (default: as long as its parent)')
    .option('--key <file>', "the parent holder's key, where it is not one of the domain's agents")
    .option('--passphrase', 'ask for the passphrase of --key')
    .option('--passphrase-file <file>', 'read that passphrase from a file');
  addGrantOptions(command)
    .addHelpText(
      'after',
      examples(
        '$ writ artifact derive --from builder-fs --holder reviewer --tool mcp://fs/tools/read_text_file \\\n      --ttl 1h --out reviewer-fs',
      ),
    )
    .action(act(derive));
};

async function derive(session: Session, options: Options): Promise<void> {
  const { output, surroundings, nowSeconds } = session;
  const { cwd } = surroundings;
  const home = await session.openHome();
  if (options.out === undefined) throw usageError('under which name is it stored?', 'give --out NAME');
  const replace = options.replace === true;
  checkArtifactName(home, options.out, { replace });
  const chain = mustReadArtifact(artifactPath(home, cwd, options.from));
  const parent = readToken(chain.at(-1) ?? '');
  if (isDenial(parent)) throw denied(parent);
  const signer = await signerOf(session, home, parent, options);
  const tools = narrowedTools(cwd, parent, options);
  const maxDepth = maxDepthOf(options);
  const writ = writClaimOf(cwd, options);
  const audiences = audiencesOf(home, options.audience) ?? countedAudience(parent, writ?.use);
  const expSeconds =
    options.ttl === undefined
      ? parent.expSeconds
      : Math.min(parent.expSeconds, nowSeconds + parseDuration(options.ttl, '--ttl'));
  const token = deriveToken({
    parent: chain,
    signer,
    holder: holderOf(home, cwd, options.holder),
    iatSeconds: nowSeconds,
    expSeconds,
    ...(tools === undefined ? {} : { tools }),
    ...(maxDepth === undefined ? {} : { maxDepth }),
    ...(audiences === undefined ? {} : { audiences }),
    ...(writ === undefined ? {} : { writ }),
  });
  if (isDenial(token)) {
    throw denied(
      token,
      `a derived token can only narrow: compare with "writ artifact inspect ${options.from}"`,
    );
  }
  const file = writeArtifact(home, options.out, [...chain, token], { replace });
  const derived = readToken(token);
  if (isDenial(derived)) throw denied(derived);
  const answer = {
    name: options.out,
    file,
    jti: derived.jti,
    holder: derived.holder.thumbprint,
    expires: derived.expSeconds,
    tools: derived.toolsJson ?? {},
  };
  output.answer(answer, () => {
    output.line(good('derived '), options.out, faint(`  ${file}`));
    output.line(faint('token     '), derived.jti);
    output.line(faint('depth     '), `${derived.depth} of ${derived.maxDepth}`);
    output.line(
      faint('expires   '),
      formatTime(derived.expSeconds),
      faint(` in ${formatDuration(derived.expSeconds - nowSeconds)}`),
    );
    for (const [tool, map] of Object.entries(answer.tools as ToolGrants)) {
      output.line(faint('grants    '), tool, faint(`  ${describeArguments(map)}`));
    }
  });
}

function holderOf(home: Home, cwd: string, holder: string): VerificationKey {
  return existsSync(resolve(cwd, holder))
    ? readJwkFile(cwd, holder)
    : enrolledKey(home, readGovernance(home).state, holder);
}

async function signerOf(
  session: Session,
  home: Home,
  parent: UnverifiedToken,
  options: Options,
): Promise<SigningKey> {
  const { thumbprint } = parent.holder;
  if (options.key === undefined) {
    const found = findHolderKey(home, thumbprint);
    if (found !== undefined) return found.key;
    throw failure(
      'not_found',
      `no agent of this domain holds the key ${thumbprint} that the artifact is bound to`,
      "give the holder's key with --key FILE",
    );
  }
  const passphrase = await readPassphrase(session, options, 'existing');
  const key = readKeyFile(resolve(session.surroundings.cwd, options.key), passphrase);
  if (isDenial(key)) throw usageError(key.detail);
  if (key.publicKey.thumbprint !== thumbprint) {
    throw usageError(`${options.key} is not the key the artifact is bound to (${thumbprint})`);
  }
  return key;
}

/** `--tool` keeps what the parent grants of that tool; `--tools` says it anew. */
function narrowedTools(cwd: string, parent: UnverifiedToken, options: Options): ToolGrants | undefined {
  if (options.tool === undefined && options.tools === undefined) return undefined;
  const parents = parent.toolsJson as ToolGrants | undefined;
  const tools: Record<string, ToolGrants[string]> = {};
  if (options.tools !== undefined) Object.assign(tools, readToolGrants(cwd, options.tools));
  for (const tool of options.tool ?? []) {
    const map = parents?.[tool];
    if (map === undefined) throw failure('artifact.attenuation_invalid', `the parent does not grant ${tool}`);
    tools[tool] ??= map;
  }
  return tools;
}

/** A token that counts uses names exactly one audience: its parent's, where that has one. */
function countedAudience(
  parent: UnverifiedToken,
  use: { readonly maxUses?: number; readonly budgets?: unknown } | undefined,
): readonly string[] | undefined {
  const counts = use?.maxUses !== undefined || use?.budgets !== undefined;
  if (!counts) return undefined;
  if (parent.audiences?.length === 1) return parent.audiences;
  throw usageError('an artifact that counts its uses names one audience', 'give --audience NAME');
}
