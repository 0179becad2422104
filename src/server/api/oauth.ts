import { z } from '@hono/zod-openapi';
import { isDenial } from '../../denial/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { answerTokenRequest, type TokenErrorCode } from '../oauth/token-endpoint.ts';
import { UsedAssertions } from '../oauth/used-assertions.ts';
import { type Api, addOperation } from './operation.ts';
import { problem } from './problem.ts';
import { readBody } from './read-body.ts';
import { answersOf } from './shapes.ts';

const MAX_FORM_BYTES = 128 * 1024;
const FORM = 'application/x-www-form-urlencoded';

const STATUS: Readonly<Record<TokenErrorCode, number>> = {
  invalid_request: 400,
  invalid_client: 401,
  unsupported_grant_type: 400,
  invalid_authorization_details: 400,
  temporarily_unavailable: 503,
};

const tokenRequest = z
  .object({
    grant_type: z.literal('client_credentials'),
    client_assertion_type: z.literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
    client_assertion: z.string(),
    req_cnf: z.string().openapi({ description: 'JSON: {"jwk": …}, a key that the agent is enrolled with.' }),
    authorization_details: z
      .string()
      .openapi({ description: 'JSON: one entry of type attenuating_agent_token.' }),
    resource: z.string().optional().openapi({ description: 'The gateway it is for (RFC 8707).' }),
  })
  .openapi('TokenRequest');

const tokenAnswer = z
  .object({
    access_token: z.string(),
    token_type: z.literal('aat'),
    expires_in: z.int(),
    authorization_details: z.array(z.object({})),
  })
  .openapi('TokenAnswer');

const tokenError = z.object({ error: z.string(), error_description: z.string() }).openapi('TokenError');
const ERROR = { 'application/json': { schema: tokenError } };

/** The token endpoint for root artifacts, and its metadata (AAT-02 §6.1, RFC 8414). */
export function addTokenEndpoint(api: Api, ports: DaemonPorts): void {
  const issuer = ports.config.listen?.publicUrl?.replace(/\/+$/, '');
  const used = new UsedAssertions();
  addOperation(api, {
    route: {
      method: 'get',
      path: '/.well-known/oauth-authorization-server',
      operationId: 'getAuthorizationServerMetadata',
      tags: ['OAuth'],
      summary: 'Metadata of the token endpoint (RFC 8414)',
      responses: {
        200: { description: 'Metadata.', content: { 'application/json': { schema: z.object({}) } } },
        ...answersOf(404, 429),
      },
    },
    exposure: 'public',
    handle(context) {
      if (issuer === undefined) return notConfigured();
      return context.json({
        issuer,
        token_endpoint: `${issuer}/oauth/token`,
        aat_issuer: true,
        grant_types_supported: ['client_credentials'],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ['private_key_jwt'],
        token_endpoint_auth_signing_alg_values_supported: ['Ed25519', 'EdDSA'],
        authorization_details_types_supported: ['attenuating_agent_token'],
      });
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/oauth/token',
      operationId: 'requestToken',
      tags: ['OAuth'],
      summary: 'Get a root artifact',
      description:
        'Client credentials with private_key_jwt: the client is an enrolled agent, the key one of its own. What it may get, `oauth.grants` of the configuration says; recorded as `artifact.issued` with the agent as actor. The token is no bearer token: only its holder key can use it.',
      request: { body: { content: { [FORM]: { schema: tokenRequest } } } },
      responses: {
        200: { description: 'The artifact.', content: { 'application/json': { schema: tokenAnswer } } },
        400: { description: 'Refused (RFC 6749 §5.2, RFC 9396 §5).', content: ERROR },
        401: { description: 'The client is not authenticated.', content: ERROR },
        503: { description: 'It cannot be verified or recorded now.', content: ERROR },
        ...answersOf(404, 413, 429),
      },
    },
    exposure: 'public',
    async handle(context) {
      if (issuer === undefined) return notConfigured();
      const type = context.req.header('content-type') ?? '';
      if (!type.toLowerCase().startsWith(FORM)) return problem(415, `The body must be ${FORM}.`);
      const form = await readBody(context.req.raw, MAX_FORM_BYTES);
      if (isDenial(form)) return problem(form.reason.http, form.reason.text);
      const answer = await answerTokenRequest(ports, issuer, used, form);
      const status = 'error' in answer ? STATUS[answer.error] : 200;
      // RFC 6749 §5.1.
      const headers = { 'cache-control': 'no-store', pragma: 'no-cache', 'content-type': 'application/json' };
      return new Response(JSON.stringify(answer), { status, headers });
    },
  });
}

function notConfigured(): Response {
  return problem(404, 'There is no token endpoint here: listen.publicUrl is not configured.');
}
