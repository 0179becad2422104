import type { AddressInfo } from 'node:net';
import { usageError } from './cli-error.ts';
import { isLoopback } from './listen-address.ts';

/** Names under which requests may ask for the endpoint. */
export function endpointHosts(
  host: string,
  { address, family, port }: AddressInfo,
  publicUrl: string | undefined,
): string[] {
  const bound = family === 'IPv6' ? `[${address}]` : address;
  const names = isLoopback(host)
    ? ['localhost', '127.0.0.1', '[::1]', bound]
    : [bound, host.includes(':') ? `[${host}]` : host];
  const own = names.map((name) => `${name.toLowerCase()}:${port}`);
  return publicUrl === undefined ? own : [...own, new URL(publicUrl).host.toLowerCase()];
}

/** The URL that clients use, where it is given: it ends in the endpoint's path. */
export function publicUrlOf({
  publicUrl,
  path,
}: {
  readonly publicUrl?: string;
  readonly path: string;
}): string | undefined {
  if (!/^\/[\w./~-]*$/.test(path)) throw usageError(`--path "${path}" is no path`, 'for example /mcp');
  if (publicUrl === undefined) return undefined;
  const url = URL.parse(publicUrl);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw usageError(`--public-url "${publicUrl}" is no http or https URL`, 'for example https://host/mcp');
  }
  if (url.pathname !== path) {
    throw usageError(`--public-url ends in ${url.pathname}, --path is ${path}`, 'give both the same path');
  }
  return url.href;
}

export function lowerCase(text: string): string {
  return text.toLowerCase();
}
