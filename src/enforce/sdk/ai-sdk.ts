import { types } from 'node:util';
import { callAsStream } from './call-as-stream.ts';
import { copyWith, signalIn } from './copied-object.ts';
import type { ToolAnnotations } from './governed-tool.ts';
import { jsonSchemaOf } from './json-schema.ts';
import type { CallContext, Writ } from './writ.ts';

/** What of an AI SDK tool is looked at. Any `tool({…})` or `dynamicTool({…})` with an `execute` is one. */
export interface AiSdkTool {
  readonly type?: string | undefined;
  readonly description?: unknown;
  readonly inputSchema?: unknown;
  readonly execute?: unknown;
}

export interface AiSdkToolOptions {
  readonly annotations?: ToolAnnotations;
  /** JSON Schema of the arguments, where the tool's own schema cannot be written as one (zod 3, say). */
  readonly inputSchema?: unknown;
  /** Whether `execute` yields preliminary results. Default: whether it is an async generator function. */
  readonly streams?: boolean;
}

type Execute = (input: unknown, options: unknown) => unknown;

/**
 * Puts a tool of the AI SDK (`ai`) under governance: a frozen copy whose `execute` asks first. A denial is a tool error with
 * a text that the model reads and can act on.
 *
 * `execute` receives the frozen copy of its input that was decided on, and an `abortSignal` that is also aborted when the
 * execution no longer stands. Of a tool that yields preliminary results, each is passed on while it runs.
 *
 * @param name the tool's name in the tool set, and in its tool identifier.
 * @throws TypeError for a tool without `execute`: what runs in a client or at a provider cannot be governed here.
 */
export function governTool<T extends AiSdkTool>(
  writ: Writ,
  name: string,
  tool: T,
  options: AiSdkToolOptions = {},
): T {
  const { execute } = tool;
  if (!isExecute(execute)) {
    throw new TypeError(`${name} has no execute: it runs elsewhere, where it cannot be governed`);
  }
  const { annotations, inputSchema = tool.inputSchema } = options;
  const governed = writ.add({
    name,
    description: typeof tool.description === 'string' ? tool.description : undefined,
    inputSchema: jsonSchemaOf(inputSchema, name),
    annotations,
  });
  const run = (args: object, { signal }: CallContext, callOptions: unknown): unknown =>
    Reflect.apply(execute, tool, [args, { ...asObject(callOptions), abortSignal: signal }]);
  const ask: Execute = (input, callOptions) =>
    writ.call(governed, input, async (args, context) => lastOf(run(args, context, callOptions)), {
      signal: signalIn(callOptions, 'abortSignal'),
    });
  const askAndStream: Execute = (input, callOptions) =>
    callAsStream(writ, governed, input, (args, context) => itemsOf(run(args, context, callOptions)), {
      signal: signalIn(callOptions, 'abortSignal'),
    });
  return copyWith(tool, { execute: (options.streams ?? isStreaming(execute)) ? askAndStream : ask });
}

/** {@link governTool} for every tool of a set. The set that comes back is frozen: nothing ungoverned gets in later. */
export function governTools<T extends Readonly<Record<string, AiSdkTool>>>(
  writ: Writ,
  tools: T,
  options: { readonly [K in keyof T]?: AiSdkToolOptions } = {},
): T {
  const governed = Object.entries(tools).map(([name, tool]) => [
    name,
    governTool(writ, name, tool, Object.hasOwn(options, name) ? options[name] : undefined),
  ]);
  return Object.freeze(Object.fromEntries(governed));
}

function isExecute(value: unknown): value is Execute {
  return typeof value === 'function';
}

function isStreaming(execute: Execute): boolean {
  return types.isGeneratorFunction(execute) && types.isAsyncFunction(execute);
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** A tool that nobody said would stream: its final result is its last one, as the AI SDK has it. */
async function lastOf(result: unknown): Promise<unknown> {
  if (!isAsyncIterable(result)) return result;
  let last: unknown;
  for await (const item of result) last = item;
  return last;
}

async function* itemsOf(result: unknown): AsyncIterable<unknown> {
  if (isAsyncIterable(result)) yield* result;
  else yield await result;
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
