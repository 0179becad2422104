import type { JsonObject, JsonValue } from '../../codec/index.ts';
import type { Action } from '../../decision/index.ts';
import { isDenial } from '../../denial/index.ts';
import type { ProcessReport, StreamFacts } from '../../receipt/index.ts';
import type { ExecutionEnd } from '../execution.ts';

/** An action as the daemon is asked to permit it (spec/session.md). */
export function actionMessage({ tool, args, presentation, toolDigest, refusal }: Action): JsonObject {
  return {
    tool,
    args,
    ...(presentation === undefined
      ? {}
      : isDenial(presentation)
        ? { presentationRefusal: { code: presentation.code, detail: presentation.detail } }
        : { presentation: { ...presentation } }),
    ...(toolDigest && { toolDigest }),
    ...(refusal && { refusal: { code: refusal.code, detail: refusal.detail } }),
  };
}

/** How an execution ended, as the daemon is told. */
export function outcomeMessage(end: ExecutionEnd): JsonObject {
  const { status, evidence, note, result, stopped, isInterrupted, process } = end;
  return {
    status,
    ...(evidence && { evidence: Buffer.from(evidence).toString('base64') }),
    ...(note === undefined ? {} : { note }),
    ...(result && { result }),
    ...(stopped && { stopped: { code: stopped.code, detail: stopped.detail } }),
    ...(isInterrupted && { isInterrupted }),
    ...(process && { process: processOf(process) }),
  };
}

/** As JSON: the types of reports have no index. */
function processOf({ stdout, stderr, written, ...rest }: ProcessReport): JsonObject {
  const stream = (facts: StreamFacts<string>): JsonValue => (facts === 'not_counted' ? facts : { ...facts });
  return {
    ...rest,
    ...(stdout && { stdout: stream(stdout) }),
    ...(stderr && { stderr: stream(stderr) }),
    ...(written && { written: { ...written, files: written.files.map((file) => ({ ...file })) } }),
  };
}
