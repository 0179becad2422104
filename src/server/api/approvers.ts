import { z } from '@hono/zod-openapi';
import { isUri } from '../../artifact/index.ts';
import { isDenial } from '../../denial/index.ts';
import { type ApproverKey, isRole } from '../../governance/index.ts';
import { enrollApprover, retireApprover } from '../../governor/index.ts';
import { parseSshPublicKey } from '../../key/index.ts';
import type { Caller } from '../access/caller.ts';
import { relyingPartyOf } from '../config/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';
import { registrationOptions, verifyRegistration } from '../webauthn-approvals.ts';
import { answerJson } from './answer.ts';
import { approverDocument, describeApprover } from './approval-document.ts';
import { slice } from './domain.ts';
import { type Api, addOperation } from './operation.ts';
import { conflictProblem, denialProblem, problem } from './problem.ts';
import { after, limit, readQuery } from './read-query.ts';
import { Registrations } from './registrations.ts';
import { answersOf } from './shapes.ts';
import { registration } from './webauthn-shapes.ts';

const page = z.strictObject({ after, limit });
const uri = z.string().refine(isUri, 'is no absolute URI').openapi({ format: 'uri' });
const next = z.int().nullable().openapi({ description: '`after` of the page after this one.' });
const roles = z
  .array(z.string().refine(isRole, 'is no role'))
  .min(1)
  .max(16)
  .refine((all) => new Set(all).size === all.length, 'names a role twice');
const subject = uri.openapi({
  description: 'The person, such as spiffe://local/user/ada: whoever asks under this name does not approve.',
});

const newApprover = z
  .strictObject({
    subject,
    roles,
    sshKey: z
      .string()
      .max(12_000)
      .openapi({ description: 'An OpenSSH public key: `ssh-ed25519 AAAA…`; a comment is left out.' }),
  })
  .openapi('NewApprover');

const newRegistration = z.strictObject({ subject, roles }).openapi('NewRegistration');
const registered = z
  .strictObject({ registration: z.string().max(64), credential: registration })
  .openapi('Registered');
const retirement = z
  .strictObject({ subject, thumbprint: z.string().max(64).optional() })
  .openapi('Retirement', { description: 'One key, or all of the approver.' });

const ENROLLED = {
  description: 'In force.',
  content: {
    'application/json': {
      schema: z.object({ subject: z.string(), roles: z.array(z.string()), thumbprint: z.string() }),
    },
  },
};

/** Who may approve, and as what. */
export function addApproverOperations(api: Api, ports: DaemonPorts): void {
  const { home, follower, clock } = ports;
  const by = ({ id }: Caller) => ({ actor: id, atSeconds: Math.floor(clock.wallMs() / 1000) });

  addOperation(api, {
    route: {
      method: 'get',
      path: '/v1/approvers',
      operationId: 'listApprovers',
      tags: ['Approvals'],
      summary: 'Who may approve, as what and with which keys, in order of enrolment',
      request: { query: page },
      responses: {
        200: {
          description: 'A page.',
          content: {
            'application/json': { schema: z.object({ approvers: z.array(approverDocument), next }) },
          },
        },
        ...answersOf(400, 401, 403, 429),
      },
    },
    exposure: 'read',
    handle(context) {
      const query = readQuery(context, page);
      if (isDenial(query)) return denialProblem(query, { detail: query.detail });
      const { items, next: following } = slice(follower.refresh().state.approvals.approvers, query);
      return answerJson(context, { approvers: items.map(describeApprover), next: following });
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/approvers',
      operationId: 'enrollApprover',
      tags: ['Approvals'],
      summary: 'Enroll an approver with an SSH key',
      description: 'Recorded as `approver.enrolled` with the caller as actor.',
      request: { body: { content: { 'application/json': { schema: newApprover } } } },
      responses: { 201: ENROLLED, ...answersOf(400, 401, 403, 409, 413, 422, 429, 503) },
    },
    exposure: 'administer',
    idempotent: true,
    body: newApprover,
    async handle(context, { subject: person, roles: as, sshKey }, caller) {
      const key = parseSshPublicKey(sshKey.trim());
      if (isDenial(key)) return denialProblem(key, { detail: key.detail });
      const stated: ApproverKey = { kind: 'ssh', key: key.text };
      const refused = await enrollApprover(home, { subject: person, roles: as, key: stated }, by(caller));
      if (refused !== undefined) return conflictProblem(refused);
      return context.json({ subject: person, roles: as, thumbprint: key.thumbprint }, 201);
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/approvers/retirements',
      operationId: 'retireApprover',
      tags: ['Approvals'],
      summary: 'Take a key, or all keys, from an approver',
      description:
        'Recorded as `approver.retired` with the caller as actor. Every consent that was not used yet counts no more; what was rejected stays rejected.',
      request: { body: { content: { 'application/json': { schema: retirement } } } },
      responses: {
        201: { description: 'In force.', content: { 'application/json': { schema: z.object({}) } } },
        ...answersOf(400, 401, 403, 409, 413, 422, 429, 503),
      },
    },
    exposure: 'administer',
    idempotent: true,
    body: retirement,
    async handle(context, { subject: person, thumbprint }, caller) {
      const retired = { subject: person, ...(thumbprint === undefined ? {} : { thumbprint }) };
      const refused = await retireApprover(home, retired, by(caller));
      return refused === undefined ? context.json({}, 201) : conflictProblem(refused);
    },
  });

  addRegistration(api, ports, by);
}

/** The two halves of making a WebAuthn credential (WebAuthn Level 3 §7.1), begun and ended by the same caller. */
function addRegistration(
  api: Api,
  { home, follower, clock, config }: DaemonPorts,
  by: (caller: Caller) => { readonly actor: string; readonly atSeconds: number },
): void {
  const site = relyingPartyOf(config);
  const registrations = new Registrations(() => clock.monotonicMs());
  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/approvers/webauthn/options',
      operationId: 'beginRegistration',
      tags: ['Approvals'],
      summary: 'What a browser makes a credential for an approver with',
      description:
        '`options` is for `navigator.credentials.create`; the same caller ends the registration within five minutes, once. Records nothing.',
      request: { body: { content: { 'application/json': { schema: newRegistration } } } },
      responses: {
        200: {
          description:
            'PublicKeyCredentialCreationOptionsJSON (WebAuthn Level 3), and the registration’s id.',
          content: {
            'application/json': { schema: z.object({ registration: z.string(), options: z.object({}) }) },
          },
        },
        ...answersOf(400, 401, 403, 404, 413, 429, 503),
      },
    },
    exposure: 'administer',
    body: newRegistration,
    async handle(context, asked, caller) {
      if (site === undefined) return notConfigured();
      const approver = follower.refresh().state.approvals.approver(asked.subject);
      const stated = approver?.keys.map(({ key }) => key.stated) ?? [];
      const known = stated.filter((key) => key.kind === 'webauthn');
      const options = await registrationOptions(site, { subject: asked.subject, known });
      const id = registrations.begin({ ...asked, caller: caller.id, challenge: options.challenge });
      return context.json({ registration: id, options });
    },
  });

  addOperation(api, {
    route: {
      method: 'post',
      path: '/v1/approvers/webauthn',
      operationId: 'endRegistration',
      tags: ['Approvals'],
      summary: 'Enroll an approver with the credential that the browser made',
      description:
        'Verified, then recorded as `approver.enrolled` with the caller as actor: the person and the roles are those that the registration was begun for.',
      request: { body: { content: { 'application/json': { schema: registered } } } },
      responses: { 201: ENROLLED, ...answersOf(400, 401, 403, 404, 409, 413, 422, 429, 503) },
    },
    exposure: 'administer',
    idempotent: true,
    body: registered,
    async handle(context, { registration: id, credential }, caller) {
      if (site === undefined) return notConfigured();
      const begun = registrations.end(id, caller.id);
      if (begun === undefined) return problem(404, 'No such registration was begun, or it is over.');
      const { subject: person, roles: as, challenge } = begun;
      const key = await verifyRegistration(site, credential, challenge);
      if (isDenial(key)) {
        const { code, detail } = key;
        return problem(403, 'The credential does not count.', { code, detail });
      }
      const refused = await enrollApprover(home, { subject: person, roles: as, key }, by(caller));
      if (refused !== undefined) return conflictProblem(refused);
      const enrolled = follower.refresh().state.approvals.approver(person)?.keys ?? [];
      const thumbprint = enrolled.find(
        ({ key: { stated } }) => stated.kind === 'webauthn' && stated.credentialId === key.credentialId,
      )?.key.thumbprint;
      return context.json({ subject: person, roles: as, thumbprint: thumbprint ?? '' }, 201);
    },
  });
}

function notConfigured(): Response {
  return problem(404, 'There is no WebAuthn here: neither approvals.consoleUrl nor listen.publicUrl is set.');
}
