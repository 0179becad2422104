import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { isUri } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject } from '../../codec/index.ts';
import { ROLES } from '../../governance/index.ts';
import { workloadApiTarget } from '../../mesh/index.ts';
import { isTrustDomain } from '../../workload/index.ts';
import { findRelyingPartyProblem } from './approval-site.ts';
import { supervisedPrograms } from './supervised-schema.ts';
import { findWebhookUrlProblem } from './webhook-url.ts';

/** What receivers of webhooks can be told. */
export const NOTICES = [
  'approval.requested',
  'approval.granted',
  'approval.rejected',
  'approval.expired',
] as const;
export type NoticeType = (typeof NOTICES)[number];

const whole = (min: number, max: number) => z.int().min(min).max(max);
const path = z.string().min(1).max(4096);

const secret = z.union(
  [
    z.strictObject({ file: path.refine(isAbsolute, 'is not an absolute path') }),
    z.strictObject({
      env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is no name of an environment variable'),
    }),
  ],
  'is a secret, which is never written here: give { file: /path } or { env: NAME }',
);

const uri = z.string().refine(isUri, 'is no absolute URI');

const role = z.enum(ROLES);

const daemon = z.strictObject({
  maxStalenessSeconds: whole(1, 3600)
    .default(10)
    .describe('Governance knowledge older than this denies every decision, and every caller over TCP.'),
  maxLineageDepth: whole(0, 1024).default(32).describe('How many executions deep a lineage may grow.'),
  drainSeconds: whole(0, 3600)
    .default(10)
    .describe('How long running executions may go on once the daemon is told to end.'),
  idleExitSeconds: whole(1, 31_536_000)
    .optional()
    .describe('End when no enforcement point has been connected for so long. Default: never.'),
});

const log = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe("What the daemon's own log tells operators. It never repeats what requests carry."),
});

const telemetry = z.strictObject({
  tracesEndpoint: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .optional()
    .describe(
      'Where spans are sent: a URL that takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Default: nowhere, and nothing is traced. The standard OTEL_* environment variables count before it.',
    ),
  samplePercent: whole(0, 100)
    .default(100)
    .describe(
      'How many in a hundred decisions are traced, of those whose caller is part of no trace. Of the others the caller says.',
    ),
});

const limits = z.strictObject({
  requestsPerSecond: whole(1, 1_000_000)
    .default(500)
    .describe('Sustained rate of requests of one caller over TCP; more are answered with 429.'),
  burst: whole(1, 1_000_000)
    .default(1000)
    .describe('Requests one caller may make at once before that rate counts.'),
  anonymousPerSecond: whole(1, 100_000)
    .default(20)
    .describe('The same for requests of one address that do not say who asks, or say it wrongly.'),
  maxBodyBytes: whole(1024, 134_217_728)
    .default(8_388_608)
    .describe('Longest body of a request over TCP; an operation may take less.'),
  requestTimeoutSeconds: whole(1, 600)
    .default(30)
    .describe('Within which a request must have arrived, and be answered. Event streams go on.'),
  headersTimeoutSeconds: whole(1, 60)
    .default(10)
    .describe('Within which the head of a request must have arrived.'),
  maxConnections: whole(1, 1_000_000)
    .default(20_000)
    .describe(
      'Open connections over TCP; at most 9/16 of the files that the daemon may have open, whatever is given here.',
    ),
  maxEventStreams: whole(1, 10_000).default(256).describe('Open streams of live events, over all callers.'),
});

const certificateCaller = z.strictObject({
  id: uri.describe(
    'The URI in the certificate’s subjectAltName, a SPIFFE ID. It is the actor of what the caller does.',
  ),
  role: role.describe('What the caller may do.'),
  enforcementPoint: z
    .string()
    .optional()
    .describe('For the role enforcement-point: the name of the enforcement point it is.'),
});

const tls = z.strictObject({
  certificateFile: path.describe('PEM file of the server’s certificate and its intermediates.'),
  key: secret.describe('Its private key, PEM: `{ file: … }` or `{ env: … }`.'),
  passphrase: secret
    .optional()
    .describe('Passphrase of an encrypted private key: `{ file: … }` or `{ env: … }`.'),
  minVersion: z
    .enum(['TLSv1.2', 'TLSv1.3'])
    .default('TLSv1.2')
    .describe('Oldest version of TLS that is spoken.'),
  clientCaFile: path
    .optional()
    .describe('PEM file of the authorities whose client certificates are accepted (mutual TLS).'),
  callers: z
    .array(certificateCaller)
    .max(10_000)
    .default([])
    .describe('Who may call with a client certificate. A certificate that names nobody here is refused.'),
});

const listen = z.strictObject({
  address: z.string().min(1).max(255).default('127.0.0.1').describe('Address or name to listen on.'),
  port: whole(0, 65_535).describe('TCP port; 0 takes a free one.'),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('How callers reach it, such as https://writ.example; the issuer of the token endpoint.'),
  allowInsecureLoopback: z
    .boolean()
    .default(false)
    .describe('Without TLS, listen on a loopback address nevertheless. API tokens then cross it in clear.'),
  tls: tls.optional().describe('Certificate and callers. Required but for loopback.'),
});

const administration = z.strictObject({
  policyFile: path
    .optional()
    .describe('Cedar policies of your own that say which role may do what, instead of the built-in ones.'),
});

const approvals = z.strictObject({
  consoleUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe(
      'Where people approve: notices and MCP clients are given `<consoleUrl>/approvals/<request>`, and WebAuthn credentials are made for its origin. Default: `listen.publicUrl`.',
    ),
  relyingPartyId: z
    .string()
    .max(253)
    .regex(/^[a-z0-9.-]+$/, 'is no domain name')
    .optional()
    .describe(
      'WebAuthn relying party: the host of that URL, or a domain above it. Default: the host. Credentials made for another one no longer work.',
    ),
  relyingPartyName: z
    .string()
    .min(1)
    .max(64)
    .default('Writ')
    .describe('What browsers call it when a credential is made.'),
});

const webhook = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => findWebhookUrlProblem(url) === undefined, 'is neither https nor http on this machine')
    .describe('Where it is sent: https, or http to a loopback address. Redirects are not followed.'),
  secret: secret.describe(
    'Secret of its signatures, `whsec_` and base64 of 24 to 64 bytes: `{ file: … }` or `{ env: … }`.',
  ),
  events: z
    .array(z.enum(NOTICES))
    .min(1)
    .max(NOTICES.length)
    .default([...NOTICES])
    .describe(`What is told: ${NOTICES.join(', ')}.`),
});

const notifications = z.strictObject({
  webhooks: z
    .array(webhook)
    .max(16)
    .default([])
    .describe(
      'Who is told of approvals (docs/approvals.md), each by itself. No decision ever waits for a notice.',
    ),
});

const toolGrants = z.custom<Readonly<Record<string, JsonObject>>>(
  (value) => isJsonObject(value) && Object.values(value).every(isJsonObject),
  'is no object of tools with constraint maps',
);

const grant = z.strictObject({
  agent: uri.describe('The enrolled agent, by its URI; it authenticates with a key it is enrolled with.'),
  tools: toolGrants.describe(
    'Tools with argument constraints (AAT §3.3). What it asks for must be within them.',
  ),
  audiences: z.array(uri).min(1).max(64).describe('Gateways that what it gets may be presented to.'),
  maxLifetimeSeconds: whole(1, 7_776_000).default(3600).describe('How long what it gets is valid.'),
  maxDepth: whole(0, 8).default(0).describe('How often it may be handed on.'),
  writ: z
    .custom<JsonObject>(isJsonObject, 'is no object')
    .optional()
    .describe('The `writ` claim that every token carries: environment, use, governance (spec/artifact.md).'),
});

const oauth = z.strictObject({
  grants: z
    .array(grant)
    .max(10_000)
    .default([])
    .describe('What agents may get from the token endpoint by themselves. Default: nothing.'),
});

const trustBundle = z.strictObject({
  trustDomain: z
    .string()
    .refine(isTrustDomain, 'is no name of a SPIFFE trust domain')
    .describe('The SPIFFE trust domain it is of, such as prod.example. It speaks for no other.'),
  file: path.describe(
    'The trust bundle, a JWK Set as SPIFFE has it. It is read again as often as it says, and never replaced by an older one.',
  ),
});

const workloads = z.strictObject({
  trustBundles: z
    .array(trustBundle)
    .max(64)
    .refine(
      (bundles) => new Set(bundles.map(({ trustDomain }) => trustDomain)).size === bundles.length,
      'has a trust domain twice',
    )
    .default([])
    .describe(
      'Trust domains whose workloads may prove their SPIFFE ID (docs/workload-identity.md). Default: none, so no workload proves any.',
    ),
  workloadApi: z
    .string()
    .refine((endpoint) => workloadApiTarget(endpoint) !== undefined, 'is no unix:///<absolute path>')
    .optional()
    .describe(
      'SPIFFE Workload API that tells the trust bundles of further trust domains, such as unix:///run/spire/agent.sock. It needs the packages @grpc/grpc-js and @grpc/proto-loader. Default: none.',
    ),
});

/** `writ.yaml`. Everything has a default but `listen`: without it, only the Unix socket is served. */
export const configSchema = z
  .strictObject({
    daemon: daemon.prefault({}).describe('Decisions, and the life of the daemon.'),
    log: log.prefault({}).describe('What the daemon tells its operators on stderr.'),
    telemetry: telemetry.prefault({}).describe('OpenTelemetry traces of decisions.'),
    limits: limits.prefault({}).describe('What one caller, or all of them, may take.'),
    listen: listen.optional().describe('The API over TCP. Default: only the Unix socket.'),
    administration: administration.prefault({}).describe('Who may administer.'),
    approvals: approvals.prefault({}).describe('Where people approve, and with what.'),
    notifications: notifications.prefault({}).describe('Who is told of what happens.'),
    workloads: workloads.prefault({}).describe('Who says which workload is which.'),
    supervised: supervisedPrograms
      .default([])
      .describe('Programs that "writ supervise" has the daemon start, so that it can vouch for them.'),
    oauth: oauth.prefault({}).describe('The token endpoint for root artifacts (AAT §6.1).'),
  })
  .superRefine((config, context) => {
    const problem = findRelyingPartyProblem(config);
    if (problem !== undefined) {
      context.addIssue({ code: 'custom', message: problem, path: ['approvals', 'relyingPartyId'] });
    }
  });

export type Config = z.infer<typeof configSchema>;
export type ListenConfig = NonNullable<Config['listen']>;
export type TelemetryConfig = Config['telemetry'];
export type WebhookConfig = Config['notifications']['webhooks'][number];
export type WorkloadsConfig = Config['workloads'];
export type LimitsConfig = Config['limits'];
export type GrantConfig = Config['oauth']['grants'][number];

/** What counts where there is no file. */
export const DEFAULT_CONFIG: Config = configSchema.parse({});
