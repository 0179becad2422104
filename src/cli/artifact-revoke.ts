import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { readToken } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  GOVERNANCE_EVENT,
  type RevocationHandle,
  type Revoked,
  serializeGovernanceEvent,
} from '../governance/index.ts';
import { type Home, revoke } from '../governor/index.ts';
import { enrolledKey } from './agents.ts';
import { artifactPath, mustReadArtifact } from './artifact-file.ts';
import { denied, usageError } from './cli-error.ts';
import { type Define, examples } from './command.ts';
import { parseWholeNumber } from './duration.ts';
import { readGovernance } from './governance.ts';
import { previewRevocation } from './revocation-preview.ts';
import type { Session } from './session.ts';
import { faint, good } from './text.ts';

interface Options {
  readonly token?: string;
  readonly artifact?: string;
  readonly holder?: string;
  readonly subject?: string;
  readonly issuer?: string;
  readonly policy?: string;
  readonly environment?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly max: string;
}

type Handle = { readonly handle: RevocationHandle; readonly value: string };

const HANDLE_OPTIONS = ['artifact', 'token', 'holder', 'subject', 'issuer', 'policy', 'environment'] as const;
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

export const define: Define = (command, act) => {
  command
    .description(
      `Revoke authority. It takes effect for everything that descends from what is revoked, is recorded in the
governance log, and is never lifted: issue anew instead. Running gateways follow at once.`,
    )
    .option('--artifact <name|file>', 'an artifact: its last token, and whatever is derived from it')
    .option('--token <jti>', 'a token by its id')
    .option('--holder <agent|thumbprint>', 'a key: every artifact with it in its chain')
    .option('--subject <uri>', 'an agent or initiator, by every key it ever had')
    .option('--issuer <uri|thumbprint>', 'everything an issuer signed')
    .option('--policy <digest>', 'decisions under a policy bundle')
    .option('--environment <digest>', 'executions in a measured environment')
    .option('--reason <text>', 'why, for the record')
    .option('--dry-run', 'say what it would stop now, and write nothing')
    .option('--max <n>', 'with --dry-run: how much of each list to show', '20')
    .addHelpText(
      'after',
      examples(
        '$ writ artifact revoke --artifact builder-fs --reason "task done"',
        '$ writ artifact revoke --holder builder --dry-run',
        '$ writ artifact revoke --holder builder --reason "laptop lost"',
      ),
    )
    .action(act(revokeNamed));
};

async function revokeNamed(session: Session, options: Options): Promise<void> {
  const { output, nowSeconds } = session;
  const given = HANDLE_OPTIONS.filter((name) => options[name] !== undefined);
  if (given.length !== 1) {
    throw usageError(
      given.length === 0 ? 'what is revoked?' : 'one thing is revoked at a time',
      'give one of --artifact, --token, --holder, --subject, --issuer, --policy, --environment',
    );
  }
  const { dryRun = false, reason } = options;
  if (reason === undefined && !dryRun) {
    throw usageError('why is it revoked?', 'give --reason, or --dry-run to see what it would stop');
  }
  const max = parseWholeNumber(options.max, '--max');
  const home = await session.openHome();
  const { state } = readGovernance(home);
  const { handle, value } = handleOf(session, home, options);
  const by = { actor: session.actor(home), atSeconds: nowSeconds };
  const event: Revoked = {
    type: GOVERNANCE_EVENT,
    event: 'revoked',
    at: by.atSeconds,
    actor: by.actor,
    handle,
    value,
    reason: reason ?? 'dry run',
  };
  checkEvent(event, handle);
  if (dryRun) return previewRevocation(session, home, state, event, max);
  const changed = state.findConflict(event) === undefined;
  if (changed) {
    const refused = await revoke(home, { handle, value, reason: event.reason ?? '' }, by);
    if (refused !== undefined) throw denied(refused);
  }
  output.answer({ handle, value, changed }, () => {
    output.line(changed ? good('revoked ') : 'already revoked ', `${handle} ${value}`);
    if (changed) output.line(faint('every execution that rests on it is denied from now on'));
  });
}

function handleOf(session: Session, home: Home, options: Options): Handle {
  const { cwd } = session.surroundings;
  if (options.artifact !== undefined) {
    const path = artifactPath(home, cwd, options.artifact);
    const leaf = readToken(mustReadArtifact(path).at(-1) ?? '');
    if (isDenial(leaf))
      throw denied(leaf, 'revoke it by its id with --token, or by its holder with --holder');
    return { handle: 'token', value: leaf.jti };
  }
  if (options.token !== undefined) return { handle: 'token', value: options.token };
  if (options.holder !== undefined) {
    const { holder } = options;
    const value =
      THUMBPRINT.test(holder) && !existsSync(resolve(cwd, home.agentKeyFile(holder)))
        ? holder
        : enrolledKey(home, readGovernance(home).state, holder).thumbprint;
    return { handle: 'holder', value };
  }
  if (options.subject !== undefined) return { handle: 'subject', value: options.subject };
  if (options.issuer !== undefined) return { handle: 'issuer', value: options.issuer };
  if (options.policy !== undefined) return { handle: 'policy', value: options.policy };
  return { handle: 'environment', value: options.environment ?? '' };
}

const FORMS: Readonly<Record<RevocationHandle, string>> = {
  token: 'a token id',
  holder: 'an agent name, or a key thumbprint of 43 base64url characters',
  subject: 'a URI, such as spiffe://local/agent/builder',
  issuer: 'a URI or a key thumbprint',
  policy: 'a digest: sha256: and 64 hex digits',
  environment: 'a digest: sha256: and 64 hex digits',
};

function checkEvent(event: Revoked, handle: RevocationHandle): void {
  try {
    serializeGovernanceEvent({ ...event, reason: 'x' });
  } catch {
    throw usageError(`--${handle} "${event.value}" is malformed`, `give ${FORMS[handle]}`);
  }
  try {
    serializeGovernanceEvent(event);
  } catch {
    throw usageError('--reason is malformed', 'one line of at most 1024 printable characters');
  }
}
