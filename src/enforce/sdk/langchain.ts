import type { JsonObject } from '../../codec/index.ts';
import { copyWith, signalIn } from './copied-object.ts';
import type { ToolAnnotations } from './governed-tool.ts';
import { jsonSchemaOf } from './json-schema.ts';
import type { Writ } from './writ.ts';
import { WritDenied } from './writ-denied.ts';

/** What of a LangChain tool is looked at: `StructuredTool`, `DynamicStructuredTool`, `DynamicTool`, what `tool(…)` makes. */
export interface LangChainTool {
  readonly name: string;
  readonly description?: string;
  readonly schema?: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: what `invoke` takes and gives depends on the tool
  readonly invoke: (input: any, config?: any) => Promise<any>;
}

export interface LangChainToolOptions {
  readonly annotations?: ToolAnnotations;
  /** JSON Schema of the arguments, where the tool's own schema cannot be written as one (zod 3, say). */
  readonly inputSchema?: unknown;
  /**
   * What becomes of a denial. `answer` (default): its text is the tool's output, which the model reads and can act on.
   * `throw`: the tool throws `WritDenied`, which agents treat as they treat any error of a tool.
   */
  readonly denials?: 'answer' | 'throw';
}

type Call = (input: unknown, runManager: unknown, config: unknown) => unknown;

/** Of tools that take one string. */
const STRING_SCHEMA = { type: 'object', properties: { input: { type: 'string' } } };

/**
 * Puts a LangChain tool (`@langchain/core/tools`) under governance: a frozen copy that asks between validating its input and
 * running. The tool receives the frozen copy of its input that was decided on; a tool that takes a string has one
 * argument, `input`.
 *
 * @throws TypeError for what is no tool of this kind.
 */
export function governTool<T extends LangChainTool>(
  writ: Writ,
  tool: T,
  { annotations, inputSchema, denials = 'answer' }: LangChainToolOptions = {},
): T {
  const { name, description } = tool;
  const call: unknown = Reflect.get(tool, '_call');
  if (!isCall(call)) throw new TypeError(`${String(name)} is no structured tool of LangChain`);
  const takesText = inputSchema === undefined && isTextTool(tool);
  const governed = writ.add({
    name,
    description,
    inputSchema: takesText ? STRING_SCHEMA : jsonSchemaOf(inputSchema ?? tool.schema, name),
    annotations,
  });
  const ask: Call = async (input, runManager, config) => {
    const args = typeof input === 'string' ? { input } : (input ?? {});
    const run = (copy: JsonObject, signal: AbortSignal): unknown =>
      Reflect.apply(call, tool, [
        typeof input === 'object' && input !== null ? copy : copy.input,
        runManager,
        { ...asObject(config), signal },
      ]);
    try {
      return await writ.call(
        governed,
        args,
        async (copy, { signal }) => endOf(await run(copy, signal), runManager),
        { signal: signalIn(config, 'signal') },
      );
    } catch (error) {
      if (denials === 'throw' || !(error instanceof WritDenied)) throw error;
      const { message } = error;
      return Reflect.get(tool, 'responseFormat') === 'content_and_artifact' ? [message, undefined] : message;
    }
  };
  // The function within is no way around: nothing of LangChain's needs it but `_call`.
  return copyWith(tool, { _call: ask, ...('func' in tool ? { func: refuse } : {}) });
}

/** {@link governTool} for every tool of a list. */
export function governTools<T extends LangChainTool>(
  writ: Writ,
  tools: readonly T[],
  options: LangChainToolOptions & { readonly tools?: Readonly<Record<string, LangChainToolOptions>> } = {},
): T[] {
  const { tools: each = {}, ...all } = options;
  return tools.map((tool) =>
    governTool(writ, tool, { ...all, ...(Object.hasOwn(each, tool.name) ? each[tool.name] : {}) }),
  );
}

function isCall(value: unknown): value is Call {
  return typeof value === 'function';
}

/** `DynamicTool` and other heirs of `Tool`: their schema turns `{ input }` into the text itself. */
function isTextTool(tool: LangChainTool): boolean {
  for (let of: unknown = tool; typeof of === 'object' && of !== null; of = Object.getPrototypeOf(of)) {
    const own = Object.getOwnPropertyDescriptor(of, 'constructor')?.value;
    if (typeof own === 'function' && own.name === 'Tool') return true;
    if (typeof own === 'function' && own.name === 'StructuredTool') return false;
  }
  return false;
}

/** A generator's items are events, and what it returns is the result: all of it belongs to the execution. */
async function endOf(result: unknown, runManager: unknown): Promise<unknown> {
  if (typeof result !== 'object' || result === null || !(Symbol.asyncIterator in result)) return result;
  if (!('next' in result) || typeof result.next !== 'function') return result;
  for (;;) {
    const { done, value }: IteratorResult<unknown, unknown> = await result.next();
    if (done === true) return value;
    const tell: unknown = Reflect.get(asObject(runManager), 'handleToolEvent');
    if (typeof tell === 'function') await tell.call(runManager, value);
  }
}

function refuse(): never {
  throw new TypeError('a governed tool runs by invoke only');
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
