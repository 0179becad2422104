import { delimiter, join } from 'node:path';
import {
  HTTP_SESSION_LIMITS,
  httpLink,
  isUpstreamId,
  type OpenLink,
  stdioLink,
} from '../enforce/mcp/index.ts';
import { type Component, measureEnforcer, type OnRead } from '../environment/index.ts';
import type { Home } from '../governor/index.ts';
import { usageError } from './cli-error.ts';
import { type ConfineOptions, confineUpstream } from './confined-upstream.ts';
import { refuseExposedHome } from './exposed-home.ts';
import { isLoopback } from './listen-address.ts';
import { measure } from './measure.ts';
import { readServer, type StoredServer } from './server-file.ts';
import type { Surroundings } from './surroundings.ts';
import { readTokenFile } from './token-file.ts';

/** An upstream to stand in front of. */
export interface Upstream {
  readonly id: string;
  readonly open: OpenLink;
  /** How it is started, where it is a process of ours. */
  readonly command: StoredServer | undefined;
  /** What it is confined by, tried, where it is. */
  readonly measureConfinement?: () => Promise<readonly Component[]>;
}

export const UPSTREAM_HELP =
  'ID=URL, or ID=stdio for a server that "writ init" saw; may be given several times';
export const UPSTREAM_TOKEN_HELP =
  'ID=FILE or ID=env:NAME: the bearer token that upstream ID is called with; may be given several times';

/** `--upstream ID=URL` and `--upstream ID=stdio`. */
export function readUpstreams(
  home: Home,
  surroundings: Surroundings,
  options: { readonly upstream: readonly string[]; readonly upstreamToken?: readonly string[] },
  confine?: ConfineOptions,
): readonly Upstream[] {
  const tokens = readUpstreamTokens(surroundings, options.upstreamToken ?? []);
  const upstreams = options.upstream.map((text): Upstream => {
    const [id, target] = splitAtEquals(text, '--upstream');
    if (!isUpstreamId(id)) {
      throw usageError(`--upstream ${id} is no id`, 'use letters, digits, "." and "-", a letter first');
    }
    if (target !== 'stdio') return httpUpstream(id, target, tokens.get(id));
    const command = readServer(home, id);
    if (command === undefined) {
      throw usageError(`how is the server ${id} started?`, `run: writ init --server ${id} -- COMMAND`);
    }
    return stdioUpstream(id, command, home, surroundings, confine);
  });
  const ids = upstreams.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) throw usageError('two upstreams have one id');
  for (const id of tokens.keys()) {
    if (!ids.includes(id)) throw usageError(`--upstream-token ${id} is for no upstream`);
  }
  return upstreams;
}

/** @param confine puts the confinement around each process of it, as these options say. */
export function stdioUpstream(
  id: string,
  command: StoredServer,
  home: Home,
  surroundings: Surroundings,
  confine?: ConfineOptions,
): Upstream {
  const { environment, stderr } = surroundings;
  if (confine === undefined) refuseExposedHome(home.folder, command);
  const confined = confine && confineUpstream(home, surroundings, command, confine);
  const maxMessageBytes = HTTP_SESSION_LIMITS.maxServerMessageBytes;
  return {
    id,
    command: confined?.measured ?? command,
    open: stdioLink({
      command: { ...(confined?.command ?? command), env: environment },
      maxMessageBytes,
      stderr,
    }),
    ...(confined && { measureConfinement: confined.measureConfinement }),
  };
}

/** An upstream's address. Plain HTTP only on this machine: what is asked and the token would be read on the way. */
export function upstreamUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageError(`"${text}" is neither stdio nor an http or https URL`, 'for example https://host/mcp');
  }
  if (url.username !== '' || url.password !== '') {
    throw usageError('the URL of an upstream holds a password', 'give --upstream-token ID=FILE');
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) {
    throw usageError(`${url.origin} is on another machine and not encrypted`, 'use https');
  }
  return url;
}

function httpUpstream(id: string, text: string, token: string | undefined): Upstream {
  return { id, command: undefined, open: openHttp(upstreamUrl(text), token) };
}

export function openHttp(url: URL, token: string | undefined): OpenLink {
  return httpLink({
    url,
    maxMessageBytes: HTTP_SESSION_LIMITS.maxServerMessageBytes,
    ...(token === undefined ? {} : { authorization: () => `Bearer ${token}` }),
  });
}

export function readUpstreamTokens(
  { cwd, environment }: Surroundings,
  options: readonly string[],
): Map<string, string> {
  return new Map(
    options.map((text) => {
      const [id, source] = splitAtEquals(text, '--upstream-token');
      const name = /^env:(\w+)$/.exec(source)?.[1];
      const token = name === undefined ? readTokenFile(cwd, source)[0] : environment[name];
      if (token === undefined || !/^[\x21-\x7e]{1,4096}$/.test(token)) {
        throw usageError(`--upstream-token ${id}: ${source} holds no token`);
      }
      return [id, token];
    }),
  );
}

/** What is measured before any of them is started. */
export async function measureUpstreams(
  home: Home,
  { path }: Surroundings,
  upstreams: readonly Upstream[],
  onRead?: OnRead,
): Promise<readonly Component[]> {
  const searchPath = path.join(delimiter);
  const digests = join(home.folder, 'cache', 'digests.json');
  const components: Component[] = [];
  // One after the other: they share a file of digests.
  for (const { command, measureConfinement } of upstreams) {
    if (command !== undefined)
      components.push(...(await measure({ ...command, searchPath }, digests, onRead)));
    if (measureConfinement !== undefined) components.push(...(await measureConfinement()));
  }
  // With a server that is a process, the enforcer has been measured.
  if (upstreams.every(({ command }) => command === undefined)) {
    components.push(...(await measureEnforcer(onRead)));
  }
  const seen = new Set<string>();
  return components.filter(({ kind, name, digest }) => {
    const key = `${kind} ${name} ${digest}`;
    return !seen.has(key) && seen.add(key);
  });
}

function splitAtEquals(text: string, option: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw usageError(`${option} "${text}" has no =`, `write ${option} fs=…`);
  return [text.slice(0, at), text.slice(at + 1)];
}
