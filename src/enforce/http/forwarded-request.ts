import { type Presentation, parsePresentation } from '../../artifact/index.ts';
import { decodeBase64url, encodeBase64url, type JsonObject, parseJsonObject } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { digestOfContentDigest } from './content-digest.ts';
import type { Call } from './evaluation.ts';
import { parseRequestTarget } from './request-target.ts';

/** A request that a reverse proxy holds back until it is allowed, as the proxy tells of it. */
export interface ForwardedRequest {
  /** Configured name of the enforcement point. */
  readonly point: string;
  readonly method: string;
  /** The request target as the client sent it. */
  readonly target: string;
  /** What the upstream is told as `Host`, with its port where it has one. */
  readonly host: string;
  /** RFC 9530, where the client sent one. */
  readonly contentDigest?: string | undefined;
}

/** Request header that carries a presentation: base64url of its JSON. */
export const PRESENTATION_HEADER = 'writ-presentation';

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
/** Lower case, so that a policy that names a host names every spelling of it. */
const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_-])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?$/;
const MAX_HOST_CHARACTERS = 261;
const MAX_PRESENTATION_BYTES = 12 * 1024;

/**
 * The call that a request is (spec/forward-auth.md). Presenters sign a proof for it.
 *
 * @returns `request.malformed` for a request that a proxy and its upstream might not read alike.
 */
export function callOfRequest(request: ForwardedRequest): Call | Denial {
  const { point, method, target, host, contentDigest } = request;
  if (!METHOD.test(method)) return deny('request.malformed', 'the method is no upper-case word');
  if (host.length > MAX_HOST_CHARACTERS || !HOST.test(host) || host.includes('..')) {
    return deny('request.malformed', 'the host is no lower-case name with or without a port');
  }
  const parsed = parseRequestTarget(target);
  if (isDenial(parsed)) return parsed;
  const digest = contentDigest === undefined ? '' : digestOfContentDigest(contentDigest);
  if (isDenial(digest)) return digest;
  return {
    tool: `http://${point}/${method}`,
    // All of them always, since an artifact that constrains one argument names them all.
    args: { host, ...parsed, content_digest: digest },
  };
}

/** What to decide on. A request that is refused is decided on, too: its denial has a receipt, without what it said. */
export function actionOfRequest(request: ForwardedRequest, presented: string | undefined): Action {
  const call = callOfRequest(request);
  const presentation = presented === undefined ? undefined : parsePresentationHeader(presented);
  return isDenial(call)
    ? { tool: `http://${request.point}/-`, args: {}, presentation: undefined, refusal: call }
    : { ...call, presentation };
}

export function presentationHeader(presentation: Presentation): string {
  const { aat_chain, aat_pop } = presentation;
  return encodeBase64url(Buffer.from(JSON.stringify({ aat_chain, aat_pop } satisfies JsonObject)));
}

function parsePresentationHeader(text: string): Presentation | Denial {
  const bytes = decodeBase64url(text, 'artifact.malformed');
  if (isDenial(bytes)) return bytes;
  const json = parseJsonObject(bytes, 'artifact.malformed', { maxBytes: MAX_PRESENTATION_BYTES });
  return isDenial(json) ? json : parsePresentation(json);
}
