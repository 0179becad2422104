import { z } from 'zod';

const plan = z.strictObject({
  create: z.record(z.string(), z.string()),
  destroy: z.array(z.string()),
});

export type Plan = z.infer<typeof plan>;

/** A plan from its bytes. Throws where it is none. */
export function parsePlan(bytes: Uint8Array): Plan {
  return plan.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
}
