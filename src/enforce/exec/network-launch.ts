import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Denial, deny } from '../../denial/index.ts';
import type { Account } from './confiner.ts';

/** Where the sandbox's proxy listens: on the loopback of a network that nothing else is in. */
export const PROXY_PORT = 3128;

const URL_OF_PROXY = `http://127.0.0.1:${PROXY_PORT}`;

/**
 * How programs are told of it. There is no `NO_PROXY`: it would keep programs from asking for granted addresses of this
 * machine.
 */
export const PROXY_VARIABLES: ReadonlyMap<string, string> = new Map([
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'].map(
    (name) => [name, URL_OF_PROXY] as const,
  ),
  ['NODE_USE_ENV_PROXY', '1'],
]);

export const LAUNCHER = { node: '/run/writ/node', script: '/run/writ/launch.cjs' } as const;

/**
 * Before the program, in its sandbox: opens the listening socket there, hands it to Writ over an inherited channel, closes
 * that, and becomes the program, under its limits. What is left of it is nothing: no process, no descriptor, no local socket. env(1) undoes
 * what Node does to signals (it ignores two, and that is inherited).
 */
export function launchScript(
  lowering: readonly string[],
  command: readonly string[],
  environment: ReadonlyMap<string, string>,
): string {
  const line = [...lowering, '/usr/bin/env', '--default-signal=PIPE,XFSZ', '--', ...command];
  return `'use strict';
const line = ${JSON.stringify(line)};
const variables = ${JSON.stringify(Object.fromEntries(environment))};
const server = require('node:net').createServer();
process.once('disconnect', () => process.execve(line[0], line, variables));
process.once('message', () => process.disconnect());
server.once('error', () => process.exit(125));
server.listen(${PROXY_PORT}, '127.0.0.1', 511, () => process.send('listening', server));
`;
}

/** Few threads, no signal handlers, no warnings. */
export const LAUNCHER_OPTIONS = [
  '--v8-pool-size=0',
  '--disable-sigusr1',
  '--disable-warning=ExperimentalWarning',
];

/** Whether the account of programs can reach the Node that Writ runs on: it is bound into their sandbox. */
export function findUnreachableNode(
  account: Account | undefined,
  node = process.execPath,
): Denial | undefined {
  if (account === undefined) return undefined;
  const isOpen = (path: string, bits: number): boolean => (statSync(path).mode & bits) === bits;
  let reachable = isOpen(node, 0o005);
  for (let at = dirname(node); at !== dirname(at); at = dirname(at)) reachable &&= isOpen(at, 0o001);
  return reachable
    ? undefined
    : deny(
        'environment.unmeasured',
        `the account ${account.uid} that programs run as cannot read ${node}, which a network takes: install Node for all`,
      );
}
