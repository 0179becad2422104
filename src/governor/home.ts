import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, parse, resolve } from 'node:path';
import { parseJsonObject } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import type { GovernanceWriter } from './governance-event.ts';

export const DOMAIN = 'writ/domain@v1';
const HOME_FOLDER = '.writ';
const DOMAIN_FILE = 'domain.json';
const DOMAIN_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;
const LOCAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;

/** Where a trust domain lives on disk, and under which names its parts are addressed. */
export class Home {
  readonly folder: string;
  /** SPIFFE trust domain name. */
  readonly domain: string;
  /** Verification key of the governance log (C2SP vkey). */
  readonly governanceVkey: string;
  /** Set where this process holds the governance log open: everything that is appended goes through it. */
  readonly governanceWriter: GovernanceWriter | undefined;

  constructor(folder: string, domain: string, governanceVkey: string, governanceWriter?: GovernanceWriter) {
    this.folder = resolve(folder);
    this.governanceWriter = governanceWriter;
    this.domain = domain;
    this.governanceVkey = governanceVkey;
  }

  /** The same home, for the process that holds its governance log open. */
  withWriter(writer: GovernanceWriter): Home {
    return new Home(this.folder, this.domain, this.governanceVkey, writer);
  }

  /** What the domain is, written once. */
  get domainFile(): string {
    return join(this.folder, DOMAIN_FILE);
  }
  /** Where a running daemon says how it is reached. */
  get daemonFile(): string {
    return join(this.folder, 'run', 'daemon.json');
  }
  get configFile(): string {
    return join(this.folder, 'writ.yaml');
  }
  get issuer(): string {
    return `spiffe://${this.domain}/issuer`;
  }
  get governanceOrigin(): string {
    return `${this.domain}/governance`;
  }
  get governanceFolder(): string {
    return join(this.folder, 'governance');
  }
  get executionFolder(): string {
    return join(this.folder, 'execution');
  }
  agent(name: string): string {
    return `spiffe://${this.domain}/agent/${name}`;
  }
  person(name: string): string {
    return `spiffe://${this.domain}/user/${name}`;
  }
  audience(name: string): string {
    return `spiffe://${this.domain}/gateway/${name}`;
  }
  executionOrigin(log: string): string {
    return `${this.domain}/execution/${log}`;
  }
  executionLogFolder(log: string): string {
    return join(this.executionFolder, log);
  }
  get attestationOrigin(): string {
    return `${this.domain}/attestation`;
  }
  get attestationFolder(): string {
    return join(this.folder, 'attestation');
  }
  keyFile(name: 'issuer' | 'governance' | 'attestation'): string {
    return join(this.folder, 'keys', `${name}.pem`);
  }
  agentKeyFile(name: string): string {
    return join(this.folder, 'keys', 'agents', `${name}.pem`);
  }
  logKeyFile(log: string): string {
    return join(this.folder, 'keys', 'logs', `${log}.pem`);
  }
  get evidenceKeyFile(): string {
    return join(this.folder, 'keys', 'evidence.key');
  }
  /** How this machine's TPM is asked, where one is enrolled. */
  get attesterFile(): string {
    return join(this.folder, 'attester.json');
  }
  /** What of their surroundings enforcement points measure. */
  get environmentFile(): string {
    return join(this.folder, 'environment.json');
  }
  get witnessPolicyFile(): string {
    return join(this.folder, 'witness-policy');
  }
  artifactFile(name: string): string {
    return join(this.folder, 'artifacts', `${name}.json`);
  }
  policyFile(digest: string): string {
    return join(this.folder, 'policies', `${digest.replace('sha256:', '')}.json`);
  }
}

/** Names become file names and URI segments: letters, digits, dot, underscore, tilde and hyphen, 64 at most. */
export function isLocalName(name: string): boolean {
  return LOCAL_NAME.test(name) && !name.includes('..');
}

export function isDomainName(name: string): boolean {
  return DOMAIN_NAME.test(name);
}

/** Opens the trust domain in a folder. */
export function openHome(folder: string): Home | Denial {
  const path = join(folder, DOMAIN_FILE);
  let text: string;
  try {
    const foreign = findForeign(folder) ?? findForeign(path);
    if (foreign !== undefined) return foreign;
    text = readFileSync(path, 'utf8');
  } catch {
    return deny('request.malformed', `no trust domain in ${folder}: run "writ init" first`);
  }
  const json = parseJsonObject(text, 'request.malformed', { maxBytes: 65_536 });
  if (isDenial(json)) return deny('request.malformed', `${path}: ${json.detail}`);
  const { type, name, governanceVkey } = json;
  if (
    type !== DOMAIN ||
    typeof name !== 'string' ||
    !isDomainName(name) ||
    typeof governanceVkey !== 'string'
  ) {
    return deny('request.malformed', `${path} is not a trust domain file`);
  }
  return new Home(folder, name, governanceVkey);
}

/**
 * Whoever can write a home is its authority: one that others may write to, or made in a folder above for somebody else to
 * find (`/tmp/.writ`), is refused.
 */
function findForeign(path: string): Denial | undefined {
  const { mode, uid } = statSync(path);
  if ((mode & 0o022) !== 0) {
    return deny('request.malformed', `${path} can be written by others: run chmod go-w ${path}`);
  }
  const self = process.geteuid?.();
  return self === undefined || uid === self || uid === 0
    ? undefined
    : deny('request.malformed', `${path} is owned by another user (uid ${uid})`);
}

/** The nearest `.writ` folder at or above a directory, as git finds its own. */
export function findHomeFolder(from: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const candidate = join(folder, HOME_FOLDER);
    if (existsSync(join(candidate, DOMAIN_FILE))) return candidate;
    if (folder === parse(folder).root) return undefined;
  }
}

/** Writes a file so that after a crash it is either whole or absent. Where it throws, it leaves what was there before. */
export function writeFileDurably(path: string, content: string | Uint8Array, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // A name nobody can have prepared, so that nothing is written through a link, and two writers don't share it.
  const temporary = `${path}.${randomUUID()}.tmp`;
  const descriptor = openSync(temporary, 'wx', mode);
  try {
    try {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      for (let written = 0; written < bytes.byteLength; ) {
        written += writeSync(descriptor, bytes, written, bytes.byteLength - written);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    chmodSync(temporary, mode);
    renameSync(temporary, path);
  } catch (error) {
    // It may hold a key.
    rmSync(temporary, { force: true });
    throw error;
  }
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
