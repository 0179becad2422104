import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Api } from '../api/operation.ts';
import {
  type Environment,
  type LimitsConfig,
  type ListenConfig,
  readSecret,
  type SecretReference,
} from '../config/index.ts';
import { createApiServer } from './api-server.ts';
import { connectionBounds } from './connection-bounds.ts';

export interface TcpListener {
  readonly url: string;
  close(): Promise<void>;
}

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 100;
const KEEP_ALIVE_MS = 60_000;
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * Serves an API on TCP, with TLS; without it on a loopback address alone, and only where the configuration says so.
 *
 * @param asksWorkloads whether callers may have certificates of SPIFFE trust domains.
 * @throws Error saying why it cannot be listened on.
 */
export async function listenOnTcp(
  api: Api,
  listen: ListenConfig,
  limits: LimitsConfig,
  environment: Environment,
  asksWorkloads = false,
): Promise<TcpListener> {
  const { address, port, tls, allowInsecureLoopback } = listen;
  if (tls === undefined && !(allowInsecureLoopback && LOOPBACK.has(address))) {
    throw new Error(
      'listen.tls is missing: without TLS only a loopback address is listened on, with listen.allowInsecureLoopback',
    );
  }
  const requestTimeout = limits.requestTimeoutSeconds * 1000;
  const headersTimeout = Math.min(limits.headersTimeoutSeconds * 1000, requestTimeout);
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout,
    requestTimeout,
    connectionsCheckingInterval: 500,
    keepAliveTimeout: KEEP_ALIVE_MS,
    insecureHTTPParser: false,
    requireHostHeader: true,
    ...(tls && { ...tlsOptions(tls, environment, asksWorkloads), handshakeTimeout: headersTimeout }),
  };
  const { server, close } = createApiServer(api, options, tls !== undefined);
  server.maxConnections = connectionBounds(limits.maxConnections).remote;
  server.maxHeadersCount = MAX_HEADERS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve());
  });
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${hostOf(address)}:${portOf(server)}`,
    close,
  };
}

/** A client certificate is asked for and not required: who has none may have a token. The gate looks at both. */
function tlsOptions(tls: NonNullable<ListenConfig['tls']>, environment: Environment, asksWorkloads: boolean) {
  const { certificateFile, key, passphrase, minVersion, clientCaFile } = tls;
  return {
    cert: readFileSync(certificateFile),
    key: mustRead(key, environment),
    ...(passphrase === undefined ? {} : { passphrase: mustRead(passphrase, environment).trimEnd() }),
    minVersion,
    // INVARIANT: without authorities of its own the list is empty, and not absent: that would be every public one.
    ...(clientCaFile === undefined && !asksWorkloads
      ? {}
      : {
          ca: clientCaFile === undefined ? [] : readFileSync(clientCaFile),
          requestCert: true,
          rejectUnauthorized: false,
        }),
  };
}

function mustRead(reference: SecretReference, environment: Environment): string {
  const read = readSecret(reference, environment);
  if ('problem' in read) throw new Error(read.problem);
  return read.secret;
}

function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function portOf(server: Server): number {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}
