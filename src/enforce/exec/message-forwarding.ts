import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/* What of a message goes on to the next (RFC 9110, 7.6). */

/** Of one connection (RFC 9110, 7.6.1), or meant for the proxy. */
const HOP_BY_HOP = /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|expect)$/;

/** Where a message ends and whom it is for: never a matter of one connection (RFC 9110, 7.6.1). */
const FRAMING = ['content-length', 'transfer-encoding', 'host'];

/** Of an absolute http: URI without user information; nothing else is a request to a proxy. */
export function targetOf({ url = '' }: IncomingMessage): URL | undefined {
  if (!/^http:\/\/[^/?#\\@\s]+(?:[/?]|$)/i.test(url)) return undefined;
  const parsed = URL.parse(url);
  return parsed === null || parsed.username !== '' || parsed.password !== '' ? undefined : parsed;
}

/** Whether a Host header names another than the URI does (RFC 9112, 3.2.2, has it ignored: here it is a trick). */
export function isContradicted({ headersDistinct }: IncomingMessage, url: URL): boolean {
  const hosts = headersDistinct.host ?? [];
  return hosts.length > 1 || hosts.some((host) => URL.parse(`http://${host}/`)?.host !== url.host);
}

/** Whether Connection would have what says where the request ends taken out: its body would be read as requests. */
export function namesFraming({ headers }: IncomingMessage): boolean {
  return namedOf(headers).some((name) => FRAMING.includes(name));
}

/**
 * Whether its body is in a coding that would be lost on the way: it goes on as `chunked` and as nothing else, so that what is
 * compressed underneath would be taken for what it says (RFC 9112, 6.1).
 */
export function hasOtherCoding({ headersDistinct }: IncomingMessage): boolean {
  const codings = headersDistinct['transfer-encoding'];
  return codings !== undefined && codings.join(',').trim().toLowerCase() !== 'chunked';
}

/** INVARIANT: the length of a body goes with it, whatever Connection names. */
export function passedOn(
  headers: IncomingMessage['headers'],
  distinct: IncomingMessage['headersDistinct'],
): OutgoingHttpHeaders {
  const named = namedOf(headers).filter((name) => !FRAMING.includes(name));
  return Object.fromEntries(
    Object.entries(distinct).filter(([name]) => !HOP_BY_HOP.test(name) && !named.includes(name)),
  );
}

function namedOf({ connection = '' }: IncomingMessage['headers']): readonly string[] {
  return connection
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
}
