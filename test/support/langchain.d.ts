/**
 * What the tests use of `langchain`. Its own declarations load a second form of zod's, beside which TypeScript 7 no longer
 * merges what @hono/zod-openapi adds to zod's types.
 */
import type { BaseMessage } from '@langchain/core/messages';

export interface Agent {
  invoke(input: { readonly messages: readonly unknown[] }): Promise<{ readonly messages: BaseMessage[] }>;
}

export declare function createAgent(options: {
  readonly model: unknown;
  readonly tools: readonly unknown[];
}): Agent;
