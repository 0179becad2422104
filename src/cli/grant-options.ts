import type { Command } from 'commander';
import { isUri, parseWritClaim, type WritClaim } from '../artifact/index.ts';
import { isDigest, isJsonObject, type JsonObject, type JsonValue } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type Home, isLocalName } from '../governor/index.ts';
import { usageError } from './cli-error.ts';
import { collect } from './command.ts';
import { parseDuration, parseWholeNumber } from './duration.ts';
import { orUsage, readJsonFile } from './input-file.ts';
import type { ToolGrants } from './tool-grants.ts';

/** What `artifact issue` and `artifact derive` have in common. */
export interface GrantOptions {
  readonly tool?: readonly string[];
  readonly tools?: string;
  readonly audience?: readonly string[];
  readonly ttl?: string;
  readonly maxDepth?: string;
  readonly writ?: string;
  readonly maxUses?: string;
  readonly budget?: readonly string[];
  readonly window?: readonly string[];
  readonly policy?: string;
  readonly approval?: readonly string[];
  readonly environment?: readonly string[];
  readonly workload?: string;
  readonly purpose?: string;
  readonly reference?: string;
  readonly out?: string;
  readonly replace?: boolean;
}

const MAX_FILE_BYTES = 1024 * 1024;

/** How often, when and for what an artifact may be used, whatever it is for. */
export function addUseOptions(command: Command): Command {
  return command
    .option('--max-uses <n>', 'how many calls it allows')
    .option(
      '--window <when>',
      'when it may be used: "mon-fri 09:00-17:00 Europe/Berlin" (repeatable)',
      collect,
    )
    .option('--reference <text>', 'a ticket or order it belongs to');
}

export function addGrantOptions(command: Command): Command {
  return addUseOptions(command)
    .option('--tool <id>', 'a tool, such as mcp://fs/tools/read_text_file (repeatable)', collect)
    .option('--tools <file>', 'tools with argument constraints: an AAT "tools" object as JSON')
    .option('--audience <name|uri>', 'gateway it may be presented to (repeatable)', collect)
    .option('--max-depth <n>', 'how often it may be handed on')
    .option('--budget <arg=total>', 'limit the sum of a numeric argument (repeatable)', collect)
    .option('--policy <id[@digest]>', 'the policy that must be active')
    .option('--approval <role:n>', 'how many people of a role must approve each call (repeatable)', collect)
    .option(
      '--environment <binding>',
      'what must be measured: sha256:…, kind/name=sha256:…, assurance=tpm, maxAge=5m (repeatable)',
      collect,
    )
    .option('--workload <id>', 'SPIFFE ID that the calling workload must prove')
    .option('--purpose <text>', 'what it is for')
    .option('--writ <file>', 'the whole "writ" claim as JSON, instead of the options above')
    .option('--out <name>', 'name to store it under')
    .option('--replace', 'replace a stored artifact of that name');
}

/** The `--tools` file. */
export function readToolGrants(cwd: string, file: string): ToolGrants {
  const json = orUsage(readJsonFile(cwd, file, { maxBytes: MAX_FILE_BYTES, maxDepth: 40 }));
  if (!isJsonObject(json))
    throw usageError(`${file} is not a JSON object`, 'write {"<tool id>": {"<argument>": {…}}}');
  const grants: Record<string, JsonObject> = {};
  for (const [tool, map] of Object.entries(json)) {
    if (!isJsonObject(map)) throw usageError(`${file}: the constraint map of ${tool} is not an object`);
    grants[tool] = map;
  }
  return grants;
}

/** Audiences as URIs; a name stands for the gateway of that name. */
export function audiencesOf(
  home: Home,
  audiences: readonly string[] | undefined,
): readonly string[] | undefined {
  return audiences?.map((audience) => {
    if (isLocalName(audience)) return home.audience(audience);
    if (isUri(audience)) return audience;
    throw usageError(`--audience "${audience}" is neither a gateway name nor a URI`);
  });
}

/** The servers that tool identifiers name, as audiences, where none is given. */
export function audiencesOfTools(home: Home, tools: ToolGrants): readonly string[] {
  const servers = new Set(
    Object.keys(tools).map((tool) => /^[a-z][a-z0-9+.-]*:\/\/([^/]+)\//.exec(tool)?.[1]),
  );
  const names = [...servers].filter((server) => server !== undefined && isLocalName(server));
  if (names.length === 0 || names.length !== servers.size) {
    throw usageError('which gateway is it for?', 'give --audience NAME');
  }
  return names.map((name) => home.audience(String(name)));
}

export function maxDepthOf({ maxDepth }: GrantOptions): number | undefined {
  return maxDepth === undefined ? undefined : parseWholeNumber(maxDepth, '--max-depth');
}

/** The `writ` claim that the options make, without initiator and attribution; undefined where they make none. */
export function writClaimOf(cwd: string, options: GrantOptions): WritClaim | undefined {
  const claim = claimOfOptions(options);
  if (options.writ === undefined) return claim === undefined ? undefined : checkClaim(claim, 'the options');
  if (claim !== undefined) {
    throw usageError(
      '--writ cannot be combined with options that make the claim',
      'put everything into the file',
    );
  }
  return checkClaim(orUsage(readJsonFile(cwd, options.writ, { maxBytes: MAX_FILE_BYTES })), options.writ);
}

function checkClaim(json: JsonValue, source: string): WritClaim {
  const claim = parseWritClaim(json);
  if (isDenial(claim))
    throw usageError(`${source}: ${claim.detail}`, 'see spec/artifact.md for the members of "writ"');
  return claim;
}

function claimOfOptions(options: GrantOptions): JsonObject | undefined {
  const { maxUses, budget, window, policy, approval, workload, purpose, reference } = options;
  const use = {
    ...(maxUses === undefined ? {} : { maxUses: parseWholeNumber(maxUses, '--max-uses', 1) }),
    ...(budget === undefined ? {} : { budgets: budget.map(parseBudget) }),
    ...(window === undefined ? {} : { windows: window.map(parseWindow) }),
  };
  const governance = {
    ...(policy === undefined ? {} : { policy: parsePolicy(policy) }),
    ...(approval === undefined ? {} : { approvals: approval.map(parseApproval) }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(reference === undefined ? {} : { reference }),
  };
  const environment = parseEnvironment(options.environment ?? []);
  const claim = {
    ...(workload === undefined ? {} : { workload }),
    ...(Object.keys(use).length === 0 ? {} : { use }),
    ...(Object.keys(governance).length === 0 ? {} : { governance }),
    ...(Object.keys(environment).length === 0 ? {} : { environment }),
  };
  return Object.keys(claim).length === 0 ? undefined : claim;
}

function parseBudget(text: string): JsonObject {
  const [, argument, total] = /^([^=]+)=(\d{1,15}(?:\.\d{1,9})?)$/.exec(text) ?? [];
  if (argument === undefined || !(Number(total) > 0)) {
    throw usageError(`--budget "${text}" is malformed`, 'write it as argument=total, such as amount=100');
  }
  return { argument, total: Number(total) };
}

const DAYS: readonly string[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function parseWindow(text: string): JsonObject {
  const [, days, from, to, tz] = /^(\S+) (\d\d:\d\d)-(\d\d:\d\d) (\S+)$/.exec(text) ?? [];
  if (days === undefined || from === undefined || to === undefined || tz === undefined) {
    throw usageError(`--window "${text}" is malformed`, 'write it as "mon-fri 09:00-17:00 Europe/Berlin"');
  }
  return { days: parseDays(days), from, to, tz };
}

function parseDays(text: string): readonly string[] {
  const days = text.split(',').flatMap((range) => {
    const [first = '', last = first, ...rest] = range.split('-');
    const start = DAYS.indexOf(first);
    const end = DAYS.indexOf(last);
    if (start < 0 || end < 0 || rest.length > 0) {
      throw usageError(`"${text}" names no days`, 'write them as mon-fri or sat,sun');
    }
    const length = ((end - start + DAYS.length) % DAYS.length) + 1;
    return Array.from({ length }, (_, offset) => DAYS[(start + offset) % DAYS.length] ?? first);
  });
  return [...new Set(days)];
}

function parseApproval(text: string): JsonObject {
  const [, role, threshold] = /^([a-z][a-z0-9_-]{0,63}):([1-9]\d?)$/.exec(text) ?? [];
  if (role === undefined || threshold === undefined) {
    throw usageError(`--approval "${text}" is malformed`, 'write it as role:number, such as operator:2');
  }
  return { role, threshold: Number(threshold) };
}

function parsePolicy(text: string): JsonObject {
  const at = text.lastIndexOf('@sha256:');
  if (at < 0) return { id: text };
  const digest = text.slice(at + 1);
  if (!isDigest(digest))
    throw usageError(`--policy "${text}" ends in no digest`, 'write id or id@sha256:<64 hex digits>');
  return { id: text.slice(0, at), digest };
}

function parseEnvironment(bindings: readonly string[]): JsonObject {
  const digests: string[] = [];
  const components: JsonObject[] = [];
  const rest: Record<string, JsonValue> = {};
  for (const binding of bindings) {
    const [, kind, name, digest] = /^([^/=]+)\/(.+)=(sha256:[0-9a-f]{64})$/.exec(binding) ?? [];
    if (isDigest(binding)) digests.push(binding);
    else if (kind !== undefined && name !== undefined && digest !== undefined)
      components.push({ kind, name, digest });
    else if (binding.startsWith('assurance=')) rest.assurance = binding.slice('assurance='.length);
    else if (binding === 'quoteFor=artifact') rest.quoteFor = 'artifact';
    else if (binding.startsWith('maxAge=')) {
      rest.maxAgeSeconds = parseDuration(binding.slice('maxAge='.length), '--environment maxAge');
    } else {
      throw usageError(
        `--environment "${binding}" is malformed`,
        'write sha256:…, kind/name=sha256:…, assurance=self|supervisor|tpm|tee, quoteFor=artifact or maxAge=5m',
      );
    }
  }
  return {
    ...(digests.length === 0 ? {} : { digests }),
    ...(components.length === 0 ? {} : { components }),
    ...rest,
  };
}
