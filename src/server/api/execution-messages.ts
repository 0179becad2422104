import { z } from '@hono/zod-openapi';
import { type Presentation, parsePresentation } from '../../artifact/index.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { type Denial, deny } from '../../denial/index.ts';
import {
  MAX_WRITTEN_FILES,
  type ProcessReport,
  RECORDED_DESTINATION,
  type StreamFacts,
} from '../../receipt/index.ts';
import type { ExecutionEnd } from '../daemon/point-session.ts';
import { digest, reasonCode } from './shapes.ts';

const jsonObject = z.custom<JsonObject>(isJsonObject, 'is no object').openapi({ type: 'object' });
const jsonValue = z.custom<JsonValue>((value) => value !== undefined).openapi({ type: 'object' });

/** What the enforcement point itself found wrong: it denies at the stage of its code, and can never permit. */
const refusal = z.strictObject({ code: reasonCode, detail: z.string().max(1000) }).openapi('Refusal');

/** An action that an enforcement point asks to execute. */
export const actionMessage = z
  .strictObject({
    tool: z.string(),
    args: jsonObject,
    presentation: jsonValue.optional().openapi({
      description: 'Artifact chain and proof of possession for this call (AAT §7.4).',
    }),
    presentationRefusal: refusal.optional(),
    toolDigest: digest.optional(),
    refusal: refusal.optional(),
  })
  .openapi('Action');

const count = z.int().min(0).optional();
const streamFacts = z.union([
  z.literal('not_counted'),
  z.strictObject({ bytes: z.int().min(0), digest, partial: z.literal(true).optional() }),
]);
const networkFacts = z
  .strictObject({
    to: z.string().regex(RECORDED_DESTINATION),
    allowed: z.int().min(0),
    refused: z.int().min(0),
    bytesOut: z.int().min(0),
    bytesIn: z.int().min(0),
  })
  .openapi('NetworkFacts', { description: 'What a process did with the network at one destination.' });

const processFacts = z
  .strictObject({
    exitCode: count,
    memoryPeakBytes: count,
    cpuMs: count,
    outOfMemory: z.literal(true).optional(),
    signal: z.literal('SIGKILL').optional(),
    stdout: streamFacts.optional(),
    stderr: streamFacts.optional(),
    written: z
      .strictObject({
        count: z.int().min(0),
        complete: z.boolean(),
        files: z
          .array(
            z.strictObject({
              path: z.string().max(4096),
              bytes: z.int().min(0),
              digest: digest.optional(),
            }),
          )
          .max(MAX_WRITTEN_FILES),
      })
      .optional(),
    network: z.array(networkFacts).max(128).optional(),
  })
  .openapi('ProcessFacts', { description: 'How an effect ended that was a process, and what it used.' });

/** How an execution ended, as its enforcement point says. */
export const outcomeMessage = z
  .strictObject({
    status: z.enum(['succeeded', 'failed', 'unknown']),
    note: z.string().max(200).optional(),
    evidence: z.base64().optional().openapi({ description: 'What came back, for the salted digest.' }),
    result: jsonObject.optional(),
    stopped: refusal
      .optional()
      .openapi({ description: 'The enforcement point stopped it, at a limit: the outcome is `terminated`.' }),
    isInterrupted: z.literal(true).optional().openapi({
      description: 'Whoever started it stopped it: the outcome is `terminated`, without a code.',
    }),
    process: processFacts.optional(),
  })
  .openapi('Outcome');

export function actionOf(body: z.infer<typeof actionMessage>): Action {
  const { tool, args, presentation, presentationRefusal, toolDigest, refusal } = body;
  return {
    tool,
    args,
    presentation: presentationRefusal ? denialOf(presentationRefusal) : presentationOf(presentation),
    ...(toolDigest && { toolDigest }),
    ...(refusal && { refusal: denialOf(refusal) }),
  };
}

export function endOf(outcome: z.infer<typeof outcomeMessage>): ExecutionEnd {
  const { status, note, evidence, result, stopped, isInterrupted, process } = outcome;
  return {
    status,
    ...(note === undefined ? {} : { note }),
    ...(evidence === undefined ? {} : { evidence: Buffer.from(evidence, 'base64') }),
    ...(result && { result }),
    ...(stopped && { stopped: denialOf(stopped) }),
    ...(isInterrupted && { isInterrupted }),
    ...(process && { process: withoutAbsent(process) }),
  };
}

/** Without members that are not there: the shape has been checked, and undefined is no JSON. */
function withoutAbsent({ stdout, stderr, written, ...rest }: z.infer<typeof processFacts>): ProcessReport {
  const { exitCode, signal, memoryPeakBytes, cpuMs, outOfMemory, network } = rest;
  return {
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal && { signal }),
    ...(memoryPeakBytes === undefined ? {} : { memoryPeakBytes }),
    ...(cpuMs === undefined ? {} : { cpuMs }),
    ...(outOfMemory && { outOfMemory }),
    ...(stdout && { stdout: streamOf(stdout) }),
    ...(stderr && { stderr: streamOf(stderr) }),
    ...(written && {
      written: {
        ...written,
        files: written.files.map(({ path, bytes, digest }) => ({ path, bytes, ...(digest && { digest }) })),
      },
    }),
    ...(network && { network }),
  };
}

function streamOf(facts: z.infer<typeof streamFacts>): StreamFacts<string> {
  if (facts === 'not_counted') return facts;
  const { bytes, digest, partial } = facts;
  return { bytes, digest, ...(partial && { partial }) };
}

function presentationOf(json: JsonValue | undefined): Presentation | Denial | undefined {
  return json === undefined || json === null ? undefined : parsePresentation(json);
}

function denialOf({ code, detail }: z.infer<typeof refusal>): Denial {
  return deny(code, detail);
}
