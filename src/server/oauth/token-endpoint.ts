import { isUri, parseWritClaim } from '../../artifact/index.ts';
import { isJsonObject, parseJson, sha256Base64url } from '../../codec/index.ts';
import { isDenial } from '../../denial/index.ts';
import { issueArtifact } from '../../governor/index.ts';
import { parsePublicJwk, type VerificationKey } from '../../key/index.ts';
import type { GrantConfig } from '../config/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { ASSERTION_TYPE, type AuthenticatedClient, verifyClientAssertion } from './client-assertion.ts';
import {
  authorizationDetailsOf,
  grantedTools,
  parseAuthorizationDetails,
  type RequestedTools,
} from './grant-request.ts';
import { parseTokenRequest, type TokenParameters } from './token-request.ts';
import type { UsedAssertions } from './used-assertions.ts';

/** RFC 6749 §5.2, RFC 9396 §5. */
export type TokenErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unsupported_grant_type'
  | 'invalid_authorization_details'
  | 'temporarily_unavailable';

export interface TokenError {
  readonly error: TokenErrorCode;
  readonly error_description: string;
}

export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'aat';
  readonly expires_in: number;
  readonly authorization_details: readonly object[];
}

/**
 * Answers a request for a root artifact (AAT-02 §6.1): client credentials with `private_key_jwt`, `req_cnf` and
 * `authorization_details`. INVARIANT: an agent gets what a grant of the configuration covers and nothing else; without one,
 * nothing. It is bound to a key that the agent is enrolled with, and on record before it is answered, the agent as actor.
 *
 * @param issuer URL of this server, from the configuration: what a request says of it is not believed.
 */
export async function answerTokenRequest(
  { home, follower, clock, config, logger }: DaemonPorts,
  issuer: string,
  used: UsedAssertions,
  form: Uint8Array,
): Promise<TokenAnswer | TokenError> {
  const parameters = parseTokenRequest(form);
  if (isDenial(parameters)) return refuse('invalid_request', parameters.detail);
  if (parameters.grant_type !== 'client_credentials') {
    return refuse('unsupported_grant_type', 'grant_type is client_credentials here');
  }
  const { client_assertion: assertion, client_assertion_type: type, client_id: clientId } = parameters;
  if (assertion === undefined || type !== ASSERTION_TYPE) {
    return refuse('invalid_client', 'a client authenticates with private_key_jwt');
  }
  const { state, checkedAtMs } = follower.refresh();
  if (clock.wallMs() - checkedAtMs > config.daemon.maxStalenessSeconds * 1000) {
    return refuse('temporarily_unavailable', 'it is not known now who is enrolled');
  }
  const nowSeconds = Math.floor(clock.wallMs() / 1000);
  const audiences = [issuer, `${issuer}/oauth/token`];
  const client = verifyClientAssertion(assertion, clientId, { state, nowSeconds, audiences });
  if (typeof client === 'string') {
    logger.warn({ reason: client }, 'client not authenticated');
    return refuse('invalid_client', 'the client is not authenticated');
  }
  if (!used.use(client.subject, client.jti, client.expSeconds, nowSeconds)) {
    return refuse('invalid_client', 'the assertion was used before');
  }
  // Enrolment is the proof of possession: it bound the key to the agent.
  const keys = state.agentBySubject(client.subject)?.keys ?? [];
  const holder = holderOf(parameters, keys);
  if (holder === undefined)
    return refuse('invalid_request', 'req_cnf has no key that the client is enrolled with');
  const requested = parseAuthorizationDetails(parameters.authorization_details ?? '');
  if (requested === undefined) {
    return refuse('invalid_authorization_details', 'it takes one entry of type attenuating_agent_token');
  }
  const granted = findGrant(config.oauth.grants, client, requested, parameters.resource);
  if (granted === undefined) {
    return refuse('invalid_authorization_details', 'none of this is granted to the client');
  }
  const { rule, tools } = granted;
  const writ = parseWritClaim({ initiator: { id: client.subject, kind: 'agent' }, ...rule.writ });
  if (isDenial(writ)) {
    logger.error({ agent: rule.agent, detail: writ.detail }, 'oauth.grants: the writ claim is none');
    return refuse('temporarily_unavailable', 'the grant cannot be issued');
  }
  const issued = await issueArtifact(
    home,
    {
      ...{ holder, tools, writ, maxDepth: rule.maxDepth, iatSeconds: nowSeconds },
      jti: tokenIdOf(client),
      audiences: parameters.resource === undefined ? rule.audiences : [parameters.resource],
      expSeconds: nowSeconds + rule.maxLifetimeSeconds,
    },
    { actor: client.subject, atSeconds: nowSeconds },
  );
  if (isDenial(issued)) {
    if (follower.refresh().state.issuedArtifact(tokenIdOf(client)) !== undefined) {
      return refuse('invalid_client', 'the assertion was used before');
    }
    logger.error({ agent: client.subject, code: issued.code }, 'not issued');
    return issued.code.startsWith('artifact.')
      ? refuse('invalid_authorization_details', 'it cannot be granted so')
      : refuse('temporarily_unavailable', 'it cannot be recorded now');
  }
  return {
    access_token: issued.compact,
    token_type: 'aat',
    expires_in: rule.maxLifetimeSeconds,
    authorization_details: authorizationDetailsOf(tools),
  };
}

/**
 * INVARIANT: one assertion, one artifact. The governance log takes an id once, whoever forgets what was used: over restarts,
 * and whichever listener it comes by.
 */
function tokenIdOf({ subject, jti, expSeconds }: AuthenticatedClient): string {
  return `assertion-${sha256Base64url(JSON.stringify([subject, jti, expSeconds]))}`;
}

function refuse(error: TokenErrorCode, description: string): TokenError {
  return { error, error_description: description };
}

/** `req_cnf` (RFC 9201, RFC 7800 §3.1): exactly a public key, one that is the client's. */
function holderOf(
  { req_cnf: text }: TokenParameters,
  keys: readonly VerificationKey[],
): VerificationKey | undefined {
  const json = parseJson(text ?? '', 'request.malformed', { maxBytes: 4096, maxDepth: 4 });
  if (isDenial(json) || !isJsonObject(json) || Object.keys(json).join() !== 'jwk') return undefined;
  const key = parsePublicJwk(json.jwk, 'request.malformed');
  return isDenial(key) ? undefined : keys.find(({ thumbprint }) => thumbprint === key.thumbprint);
}

/** The first grant of the client that covers any of it, for the gateway that it names, if it names one (RFC 8707). */
function findGrant(
  grants: readonly GrantConfig[],
  { subject }: AuthenticatedClient,
  requested: RequestedTools,
  resource: string | undefined,
): { readonly rule: GrantConfig; readonly tools: RequestedTools } | undefined {
  if (resource !== undefined && !isUri(resource)) return undefined;
  for (const rule of grants) {
    if (rule.agent !== subject) continue;
    if (resource !== undefined && !rule.audiences.includes(resource)) continue;
    const tools = grantedTools(rule, requested);
    if (Object.keys(tools).length > 0) return { rule, tools };
  }
  return undefined;
}
