import { isIP, isIPv4, isIPv6 } from 'node:net';
import { type Denial, deny, isDenial } from '../../denial/index.ts';

/** A host and a port that a program may connect to. */
export interface Destination {
  /** A name in lower case, or an address in its canonical form, without brackets. */
  readonly host: string;
  readonly port: number;
}

const MAX_DESTINATIONS = 64;
const MAX_HOST_CHARACTERS = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const PORT = /^[1-9]\d{0,4}$/;

/**
 * `host:port`, `[address]:port`. One text for one destination: no wildcards, no trailing dot, no other spellings of an
 * address (`127.1`, `0x7f000001`), which resolvers read as one.
 */
export function parseDestination(text: string): Destination | undefined {
  const colon = text.lastIndexOf(':');
  const port = text.slice(colon + 1);
  const host = text.slice(0, Math.max(colon, 0)).toLowerCase();
  if (!PORT.test(port) || Number(port) > 65_535) return undefined;
  const literal = /^\[([0-9a-f:.]+)\]$/.exec(host)?.[1];
  if (literal !== undefined) {
    if (!isIPv6(literal) || !URL.canParse(`http://${host}/`)) return undefined;
    return { host: new URL(`http://${host}/`).hostname.slice(1, -1), port: Number(port) };
  }
  return isIPv4(host) || isName(host) ? { host, port: Number(port) } : undefined;
}

export function destinationText({ host, port }: Destination): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What is asked for, each in its one spelling, sorted. */
export function parseNetwork(network: readonly string[]): readonly Destination[] | Denial {
  if (network.length > MAX_DESTINATIONS)
    return deny('request.too_large', 'too many destinations are asked for');
  const found = new Map<string, Destination>();
  for (const text of network) {
    const destination = parseDestination(text);
    if (destination === undefined) return deny('request.malformed', 'a destination is not host:port');
    const bad = findUngrantable(destination);
    if (isDenial(bad)) return bad;
    found.set(destinationText(destination), destination);
  }
  return [...found].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, destination]) => destination);
}

function findUngrantable({ host }: Destination): Denial | undefined {
  return isIP(host) === 0 && /(?:^|\.)localhost$/.test(host)
    ? deny(
        'scope.arguments_not_granted',
        'this machine is granted by its address (127.0.0.1:port), not by name',
      )
    : undefined;
}

function isName(host: string): boolean {
  const labels = host.split('.');
  return (
    host.length <= MAX_HOST_CHARACTERS &&
    labels.every((label) => LABEL.test(label)) &&
    // What ends in a number is an address to resolvers (WHATWG URL, "ends in a number").
    !/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')
  );
}
