import { parseJsonObject } from '../../codec/index.ts';
import { copyWith, signalIn } from './copied-object.ts';
import type { ToolAnnotations } from './governed-tool.ts';
import { jsonSchemaOf } from './json-schema.ts';
import type { Writ } from './writ.ts';
import { WritDenied } from './writ-denied.ts';

/** What of a function tool of the OpenAI Agents SDK is looked at: what `tool({…})` and `agent.asTool()` make. */
export interface AgentsFunctionTool {
  readonly type: 'function';
  readonly name: string;
  readonly description?: string;
  readonly parameters?: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the framework's own types differ by context and result
  readonly invoke: (runContext: any, input: string, details?: any) => Promise<any>;
}

export interface AgentsToolOptions {
  readonly annotations?: ToolAnnotations;
  /**
   * What becomes of a denial. `answer` (default): its text is the tool's output, which the model reads and can act on.
   * `throw`: it ends the run.
   */
  readonly denials?: 'answer' | 'throw';
}

/**
 * Puts a function tool of the OpenAI Agents SDK (`@openai/agents`) under governance: a frozen copy whose `invoke` asks first.
 *
 * The model's arguments are parsed strictly (duplicate members and numbers that cannot be held are denied), and the very
 * text that was parsed is what the tool then receives. An error that the tool's `errorFunction` turns into an answer is
 * recorded as an answer.
 *
 * @throws TypeError for hosted tools, shells, computers and the like: what runs elsewhere cannot be governed here.
 */
export function governTool<T extends AgentsFunctionTool>(
  writ: Writ,
  tool: T,
  { annotations, denials = 'answer' }: AgentsToolOptions = {},
): T {
  const { type, name, description, parameters, invoke } = tool;
  if (type !== 'function' || typeof invoke !== 'function') {
    throw new TypeError(
      `${String(name)} is no function tool: it runs elsewhere, where it cannot be governed`,
    );
  }
  const inputSchema = jsonSchemaOf(parameters, name);
  const governed = writ.add({ name, description, inputSchema, annotations });
  const ask: AgentsFunctionTool['invoke'] = async (runContext, input, details) => {
    const text = String(input);
    const args = parseJsonObject(text, 'request.malformed');
    try {
      return await writ.call(
        governed,
        args,
        (_copy, { signal }) =>
          Reflect.apply(invoke, tool, [runContext, text, copyWith(asObject(details), { signal })]),
        { signal: signalIn(details, 'signal') },
      );
    } catch (error) {
      if (denials === 'answer' && error instanceof WritDenied) return error.message;
      throw error;
    }
  };
  return copyWith(tool, { invoke: ask });
}

/** {@link governTool} for every tool of a list. */
export function governTools<T extends AgentsFunctionTool>(
  writ: Writ,
  tools: readonly T[],
  options: AgentsToolOptions & { readonly tools?: Readonly<Record<string, AgentsToolOptions>> } = {},
): T[] {
  const { tools: each = {}, ...all } = options;
  return tools.map((tool) =>
    governTool(writ, tool, { ...all, ...(Object.hasOwn(each, tool.name) ? each[tool.name] : {}) }),
  );
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
