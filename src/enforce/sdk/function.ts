import type { JsonObject } from '../../codec/index.ts';
import type { ToolAnnotations } from './governed-tool.ts';
import { jsonSchemaOf } from './json-schema.ts';
import type { CallContext, CallOptions, Writ } from './writ.ts';

/** How a function is known to policies and artifacts. */
export interface FunctionTool {
  /** `read_file` of `sdk://app/read_file`. */
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments, or a Standard JSON Schema such as a zod object. */
  readonly inputSchema: unknown;
  readonly annotations?: ToolAnnotations;
}

/** A function of one object of arguments, governed. */
export type GovernedFunction<A, R> = (args: A, options?: CallOptions) => Promise<R>;

/**
 * Puts a function under governance. The governed one runs it if and only if the trust domain permits that very call; else it
 * rejects with `WritDenied`, and the function is not run.
 *
 * The function receives a frozen copy of the arguments, the one that was decided on. They are not validated against the
 * schema: it says what may be granted; the artifact and the policy say what is.
 */
export function govern<A extends object = JsonObject, R = unknown>(
  writ: Writ,
  tool: FunctionTool,
  code: (args: A, context: CallContext) => R | Promise<R>,
): GovernedFunction<A, R> {
  const { name, description, inputSchema, annotations } = tool;
  const governed = writ.add({ name, description, inputSchema: jsonSchemaOf(inputSchema, name), annotations });
  // The one place where what was copied as JSON is called what the caller's types say it is.
  return (args, options) => writ.call(governed, args, (copy, context) => code(copy as A, context), options);
}
