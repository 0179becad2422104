import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

const MAX_CERTIFICATES = 8;

const known = new WeakMap<TLSSocket, readonly string[]>();

/**
 * The certificates that a connection's peer proved to hold the first one's key of, in the handshake: DER in base64, leaf
 * first, the same list for one connection. Nothing else about them is verified here.
 */
export function peerCertificatesOf({
  socket,
}: Pick<IncomingMessage, 'socket'>): readonly string[] | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const seen = known.get(socket);
  if (seen !== undefined) return seen;
  const certificates: string[] = [];
  let next = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && certificates.length < MAX_CERTIFICATES) {
    const text = next.raw.toString('base64');
    // A root is its own issuer.
    if (certificates.includes(text)) break;
    certificates.push(text);
    next = next.issuerCertificate;
  }
  if (certificates.length === 0) return undefined;
  known.set(socket, certificates);
  return certificates;
}
