import { z } from '@hono/zod-openapi';
import { isBootId, isComponent, MAX_MEASURED, MAX_TOOLS } from '../../environment/index.ts';
import { actionMessage, outcomeMessage } from './execution-messages.ts';
import { digest } from './shapes.ts';

const requestId = z.int().min(0);
const measured = {
  components: z
    .array(
      z
        .strictObject({
          ...{ kind: z.string(), name: z.string(), digest },
          // Who measured it, and when: no part of the environment's digest.
          ...{ collector: z.string().exactOptional(), at: z.int().min(0).exactOptional() },
        })
        .refine(isComponent, 'is no component of a measurement'),
    )
    .max(MAX_MEASURED),
  measuredAtSeconds: z.int().min(0),
  bootId: z.string().refine(isBootId, 'is no boot id').exactOptional(),
};
export const openRequest = z.strictObject({ id: requestId, open: z.strictObject(measured) });
/** The same, measured again. */
export const componentsRequest = z.strictObject({ id: requestId, ...measured });
export const askRequest = z.strictObject({
  id: requestId,
  ask: actionMessage,
  trace: z.strictObject({ traceparent: z.string(), tracestate: z.string().optional() }).optional(),
});
export const leaveRequest = z.strictObject({ id: requestId, leave: z.string() });
export const concludeLeftRequest = z.strictObject({
  id: requestId,
  concludeLeft: z.string(),
  outcome: outcomeMessage,
});
export const concludeRequest = z.strictObject({
  id: requestId,
  conclude: z.string(),
  outcome: outcomeMessage,
});
export const toolsRequest = z.strictObject({
  id: requestId,
  tools: z.array(z.strictObject({ id: z.string().min(1).max(1024), digest })).max(MAX_TOOLS),
});
