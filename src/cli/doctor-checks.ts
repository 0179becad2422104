import { readdirSync, statfsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readToken, verifyChain } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import { parseGovernanceEvent, revocationHandlesOf } from '../governance/index.ts';
import { type GovernanceView, type Home, listExecutionLogs, readEvidenceKey } from '../governor/index.ts';
import { readKeyFile } from '../key/index.ts';
import { openSqliteLogReader } from '../storage/index.ts';
import { localAgents } from './agents.ts';
import { listArtifactFiles, readArtifactFile } from './artifact-file.ts';
import { CliError } from './cli-error.ts';
import { decisionsBackwards } from './decisions.ts';
import { formatDuration } from './duration.ts';
import { policyFolder } from './init-steps.ts';
import { bundleOfFolder, isBundle } from './policy-folder.ts';
import { readServer } from './server-file.ts';
import { findExecutable } from './surroundings.ts';

/** What one check found, and what to do about it. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly hint?: string;
}

const MINIMUM_NODE = 24;
const SOON_SECONDS = 86_400;
const MAX_CLOCK_SKEW_SECONDS = 60;
const LOW_SPACE_BYTES = 256 * 1024 * 1024;
const MIB = 1024 * 1024;

export function checkNode(version: string): Finding {
  const major = Number(version.split('.')[0]);
  return major >= MINIMUM_NODE
    ? { check: 'node', status: 'ok', detail: version }
    : {
        check: 'node',
        status: 'fail',
        detail: `${version} is too old`,
        hint: `install Node ${MINIMUM_NODE} or newer`,
      };
}

/** Every key file can be read by its owner, and by nobody else. */
export function checkKeys(home: Home): readonly Finding[] {
  const problems: string[] = [];
  let count = 0;
  for (const path of [
    home.keyFile('governance'),
    home.keyFile('issuer'),
    ...localAgents(home).map((name) => home.agentKeyFile(name)),
    ...listPem(home.logKeyFile('x').replace(/x\.pem$/, '')),
  ]) {
    count += 1;
    const key = readKeyFile(path);
    if (isDenial(key)) problems.push(key.detail);
  }
  const evidence = readEvidenceKey(home.evidenceKeyFile);
  if (isDenial(evidence)) problems.push(evidence.detail);
  if (problems.length === 0)
    return [{ check: 'keys', status: 'ok', detail: `${count + 1} key files are private` }];
  return problems.map((detail) => ({ check: 'keys', status: 'fail', detail }));
}

function listPem(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.pem'))
      .map((file) => join(folder, file));
  } catch {
    return [];
  }
}

export function checkSpace(home: Home): Finding {
  const { bavail, bsize } = statfsSync(home.folder);
  const free = bavail * bsize;
  const detail = `${Math.floor(free / MIB)} MiB free`;
  return free >= LOW_SPACE_BYTES
    ? { check: 'space', status: 'ok', detail }
    : {
        check: 'space',
        status: 'warn',
        detail,
        hint: 'without space nothing can be recorded, so nothing is permitted',
      };
}

export function checkAnchors(home: Home, { state }: GovernanceView): Finding {
  const issuer = readKeyFile(home.keyFile('issuer'));
  if (state.anchors.length === 0) {
    return { check: 'anchors', status: 'fail', detail: 'no trust anchor: every artifact is denied' };
  }
  const trusted =
    !isDenial(issuer) &&
    state.anchors.some(
      ({ iss, key }) => iss === home.issuer && key.thumbprint === issuer.publicKey.thumbprint,
    );
  return trusted
    ? { check: 'anchors', status: 'ok', detail: `${state.anchors.length} trusted, the issuer key among them` }
    : {
        check: 'anchors',
        status: 'warn',
        detail: 'the issuer key of this folder is no trust anchor',
        hint: 'artifacts it issues are denied: restore keys/issuer.pem',
      };
}

export function checkPolicy(home: Home, { state, policy }: GovernanceView): readonly Finding[] {
  const check = 'policy';
  if (state.policy === undefined) {
    const detail = 'none is published: every action is denied';
    return [{ check, status: 'fail', detail, hint: 'run "writ policy publish"' }];
  }
  if (policy === undefined) {
    const detail = `the bytes of ${state.policy.digest} are missing or altered: every action is denied`;
    return [{ check, status: 'fail', detail, hint: 'run "writ policy publish"' }];
  }
  const { policies, tools, digest, id } = policy.bundle;
  const detail = `${id}: ${policies.length} policies, ${tools.size} tools`;
  const folder = folderDigest(home, id);
  if (folder === digest || folder === undefined) return [{ check, status: 'ok', detail }];
  return [
    {
      check,
      status: 'warn',
      detail: `${detail}; ${policyFolder(home)} differs from what is published`,
      hint: 'run "writ policy check" and "writ policy publish"',
    },
  ];
}

/** Undefined where there is no such folder; empty where it is not valid. */
function folderDigest(home: Home, id: string): string | undefined {
  try {
    const built = bundleOfFolder('/', policyFolder(home), id);
    return isBundle(built) ? built.digest : '';
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

export function checkAgents(home: Home, { state }: GovernanceView): readonly Finding[] {
  const names = localAgents(home);
  const strangers = names.filter((name) => {
    const key = readKeyFile(home.agentKeyFile(name));
    return !isDenial(key) && state.agentByThumbprint(key.publicKey.thumbprint)?.subject !== home.agent(name);
  });
  const enrolled = state.agents.filter(({ keys }) => keys.length > 0);
  return [
    enrolled.length === 0
      ? {
          check: 'agents',
          status: 'warn',
          detail: 'none is enrolled',
          hint: 'run "writ agent enroll NAME --new"',
        }
      : { check: 'agents', status: 'ok', detail: enrolled.map(({ subject }) => subject).join(', ') },
    ...strangers.map(
      (name): Finding => ({
        check: 'agents',
        status: 'warn',
        detail: `the key of ${name} is not enrolled`,
        hint: `run "writ agent enroll ${name}"`,
      }),
    ),
  ];
}

export function checkArtifacts(home: Home, view: GovernanceView, nowSeconds: number): readonly Finding[] {
  const files = listArtifactFiles(home);
  if (files.length === 0) {
    const detail = 'none is stored';
    return [{ check: 'artifacts', status: 'warn', detail, hint: 'run "writ init --server NAME -- COMMAND"' }];
  }
  return files.map((file) => checkArtifact(file, view, nowSeconds));
}

function checkArtifact(path: string, { state }: GovernanceView, nowSeconds: number): Finding {
  const name = basename(path, '.json');
  const check = 'artifact';
  const chain = readArtifactFile(path);
  if (isDenial(chain)) return { check, status: 'warn', detail: chain.detail, hint: 'issue it again' };
  const hint = 'issue a new one with "writ artifact issue … --replace", or "writ init --server …"';
  const verified = verifyChain(chain, { anchors: state.anchors, nowSeconds });
  if (isDenial(verified)) {
    return { check, status: 'warn', detail: `${name}: ${verified.code}, ${verified.detail}`, hint };
  }
  if (state.findRevocation(revocationHandlesOf(verified, state)) !== undefined) {
    return { check, status: 'warn', detail: `${name} is revoked`, hint };
  }
  const leaf = readToken(chain.at(-1) ?? '');
  const left = isDenial(leaf) ? 0 : leaf.expSeconds - nowSeconds;
  return left < SOON_SECONDS
    ? { check, status: 'warn', detail: `${name} ends in ${formatDuration(left)}`, hint }
    : { check, status: 'ok', detail: `${name}, ${formatDuration(left)} left` };
}

/** Whether the servers that `writ init` saw can still be started. */
export async function checkServers(home: Home, path: readonly string[]): Promise<readonly Finding[]> {
  let names: string[];
  try {
    names = readdirSync(join(home.folder, 'servers')).map((file) => basename(file, '.json'));
  } catch {
    return [];
  }
  return names.sort().map((name): Finding => {
    const server = readServer(home, name);
    const again = `run "writ init --server ${name} -- COMMAND"`;
    if (server === undefined) {
      return {
        check: 'server',
        status: 'warn',
        detail: `${name}: servers/${name}.json is not readable`,
        hint: again,
      };
    }
    const { command, cwd } = server;
    if (findExecutable(command, path, cwd) === undefined) {
      const detail = `${name}: ${command} is not on the PATH`;
      return { check: 'server', status: 'fail', detail, hint: `install it, or ${again}` };
    }
    return isFolder(cwd)
      ? { check: 'server', status: 'ok', detail: `${name}: ${command}` }
      : { check: 'server', status: 'fail', detail: `${name}: its folder ${cwd} is gone`, hint: again };
  });
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The clock must not be behind what is recorded: proofs and artifacts are judged by it. */
export function checkClock(home: Home, nowSeconds: number): Finding {
  const latest = Math.max(
    latestGovernanceSeconds(home),
    ...listExecutionLogs(home).map((log) => latestSeconds(home, log)),
  );
  return latest > nowSeconds + MAX_CLOCK_SKEW_SECONDS
    ? {
        check: 'clock',
        status: 'fail',
        detail: `it is ${formatDuration(latest - nowSeconds)} behind the newest record`,
        hint: 'set it right, for example by NTP: artifacts and proofs are judged by it',
      }
    : { check: 'clock', status: 'ok', detail: new Date(nowSeconds * 1000).toISOString() };
}

function latestGovernanceSeconds(home: Home): number {
  const reader = openSqliteLogReader(home.governanceFolder);
  try {
    const { size } = reader.head();
    const [entry] = reader.read(size - 1, 1);
    const event = entry === undefined ? undefined : parseGovernanceEvent(entry);
    return event === undefined || isDenial(event) ? 0 : event.at;
  } finally {
    reader.close();
  }
}

function latestSeconds(home: Home, log: string): number {
  try {
    const reader = openSqliteLogReader(home.executionLogFolder(log));
    try {
      const [newest] = decisionsBackwards(log, reader);
      return newest === undefined ? 0 : newest.receipt.atMs / 1000;
    } finally {
      reader.close();
    }
  } catch {
    // What is wrong with it is told by its own check.
    return 0;
  }
}
