import { z } from '@hono/zod-openapi';
import type { Gate } from '../access/gate.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { addApprovalSigning } from './approval-signing.ts';
import { addApprovalOperations } from './approvals.ts';
import { addApproverOperations } from './approvers.ts';
import { addArtifactOperations } from './artifacts.ts';
import { addAuthzenOperations } from './authzen.ts';
import { addDecisionOperations } from './decisions.ts';
import { addDomainOperations } from './domain.ts';
import { addEventStream } from './events.ts';
import { addExecutionOperations } from './executions.ts';
import { addForwardAuth } from './forward-auth.ts';
import { addGovernanceEvents } from './governance.ts';
import { addLogOperations } from './logs.ts';
import { addTokenEndpoint } from './oauth.ts';
import { Api, addOperation } from './operation.ts';
import { addPolicyOperations } from './policies.ts';
import { problem } from './problem.ts';
import { addSessionOperations } from './sessions.ts';
import { addStatusOperations } from './status.ts';
import { addSuperviseOperations } from './supervise.ts';

/** Of the API, which is not that of the program: it changes when something that callers rely on does. */
const API_VERSION = '1';

/** What every operation works with, behind a gate: the API of one of a daemon's listeners. */
export function createApi(ports: DaemonPorts, gate: Gate): Api {
  const api = new Api(gate);
  addOperations(api, ports);
  api.notFound(() => problem(404, 'There is nothing here.'));
  api.onError((error) => {
    ports.logger.error({ error: error.name }, 'unforeseen');
    return problem(500, 'Something unforeseen happened.', { code: 'internal.unexpected' });
  });
  return api;
}

/** All of them, in the order that the document has them. */
export function addOperations(api: Api, ports: DaemonPorts): void {
  addStatusOperations(api, ports);
  addSessionOperations(api, ports);
  addSuperviseOperations(api, ports);
  addExecutionOperations(api, ports);
  addAuthzenOperations(api, ports);
  addForwardAuth(api, ports);
  addGovernanceEvents(api, ports);
  addDecisionOperations(api, ports);
  addArtifactOperations(api, ports);
  addDomainOperations(api, ports);
  addPolicyOperations(api, ports);
  addApprovalOperations(api, ports);
  addApprovalSigning(api, ports);
  addApproverOperations(api, ports);
  addLogOperations(api, ports);
  addEventStream(api, ports);
  addTokenEndpoint(api, ports);
  addOperation(api, {
    route: {
      method: 'get',
      path: '/openapi.json',
      operationId: 'getOpenApi',
      tags: ['Status'],
      summary: 'This document',
      responses: {
        200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: z.object({}) } } },
      },
    },
    exposure: 'public',
    handle: (context) => context.json(openApiDocument(api)),
  });
}

/** The same whoever asks: `x-writ-exposure` says what is served where. */
export function openApiDocument(api: Api): object {
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Writ',
      version: API_VERSION,
      description:
        'The governor of a trust domain. x-writ-exposure: `socket` is served on the Unix socket alone, `public` to anyone, the rest to callers whose role the administrative policy permits it (docs/api.md).',
    },
  });
}
