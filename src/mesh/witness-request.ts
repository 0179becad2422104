import { digestOf, parseJsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { type AddCheckpoint, formatAddCheckpoint } from '../tlog/index.ts';

/** What a witness answered, nothing of it verified. */
export type WitnessReply =
  | { readonly kind: 'lines'; readonly lines: string }
  /** It has cosigned a tree of another size than the request named. */
  | { readonly kind: 'size'; readonly size: number }
  /** It refuses; `seen` is the signed note that it says it cosigned before. */
  | { readonly kind: 'refused'; readonly status: number; readonly seen?: string };

/** Signature lines of a witness, or two notes: generous for both. */
const MAX_REPLY_BYTES = 256 * 1024;
const SIZE = /^(?:0|[1-9][0-9]{0,15})\n$/;

/**
 * `POST <prefix>/add-checkpoint` (tlog-witness).
 * @throws Error when there is no answer in time, or one that no witness gives.
 */
export async function addCheckpoint(
  prefix: string,
  request: AddCheckpoint,
  signal: AbortSignal,
): Promise<WitnessReply> {
  const response = await fetch(urlUnder(prefix, 'add-checkpoint'), {
    method: 'POST',
    body: formatAddCheckpoint(request),
    // A witness is who its URL says; what it points to elsewhere is not followed.
    redirect: 'error',
    signal,
  });
  const { status } = response;
  const body = await readBounded(response);
  if (status === 200) return { kind: 'lines', lines: body };
  if (status === 409 && response.headers.get('content-type') === 'text/x.tlog.size') {
    const size = SIZE.test(body) ? Number(body.trimEnd()) : Number.NaN;
    if (!Number.isSafeInteger(size)) throw new Error('it answered with a size that is none');
    return { kind: 'size', size };
  }
  const seen = status === 409 || status === 422 ? firstHead(body) : undefined;
  return { kind: 'refused', status, ...(seen === undefined ? {} : { seen }) };
}

/** The note a witness cosigned last for a log, where it says so (Writ's do); undefined where not. */
export async function fetchSeen(
  prefix: string,
  origin: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = digestOf(origin).slice('sha256:'.length);
  try {
    const response = await fetch(urlUnder(prefix, `checkpoint/${name}`), { redirect: 'error', signal });
    const body = await readBounded(response);
    return response.status === 200 ? body : undefined;
  } catch {
    return undefined;
  }
}

function urlUnder(prefix: string, path: string): string {
  return `${prefix.endsWith('/') ? prefix : `${prefix}/`}${path}`;
}

function firstHead(body: string): string | undefined {
  const json = parseJsonObject(body, 'request.malformed', { maxBytes: MAX_REPLY_BYTES, maxDepth: 2 });
  if (isDenial(json) || !Array.isArray(json.heads)) return undefined;
  const [seen] = json.heads;
  return typeof seen === 'string' ? seen : undefined;
}

async function readBounded(response: Response): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    // Leaving the loop cancels the body, and with it the connection.
    if (length > MAX_REPLY_BYTES) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
