import { AIMessage } from '@langchain/core/messages';
import { fakeModel } from '@langchain/core/testing';
import { DynamicTool, StructuredTool, tool } from '@langchain/core/tools';
import { createAgent } from 'langchain';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { governTool, governTools } from './langchain.ts';
import { SdkWorld } from './sdk.test-support.ts';
import type { Writ } from './writ.ts';

let ran: unknown[] = [];

class ListFolder extends StructuredTool {
  override name = 'list_folder';
  override description = 'Lists a folder';
  override schema = z.object({ path: z.string() });
  readonly #secret = 'a private field';

  protected override async _call(input: { path: string }): Promise<string> {
    ran.push(input);
    return `${this.#secret} of ${input.path}`;
  }
}

function governed(writ: Writ) {
  const readFile = tool(
    async (input: { path: string }, config) => {
      ran.push({ input, hasSignal: config.signal instanceof AbortSignal });
      return `content of ${input.path}`;
    },
    { name: 'read_file', description: 'Reads a file', schema: z.object({ path: z.string() }) },
  );
  const echo = new DynamicTool({
    name: 'echo',
    description: 'Says it again',
    func: async (input) => {
      ran.push(input);
      return input;
    },
  });
  const watch = tool(
    async function* (input: { path: string }) {
      ran.push(input);
      yield 'looking';
      return `saw ${input.path}`;
    },
    { name: 'watch', description: 'Watches', schema: z.object({ path: z.string() }) },
  );
  const both = tool(
    async (input: { path: string }) => {
      ran.push(input);
      return ['content', { artifact: true }];
    },
    {
      name: 'both',
      description: 'Both',
      schema: { type: 'object', properties: { path: { type: 'string' } } },
      responseFormat: 'content_and_artifact',
    },
  );
  const [read, list, echoed, watched, two] = [
    governTool(writ, readFile, { annotations: { readOnlyHint: true } }),
    governTool(writ, new ListFolder()),
    governTool(writ, echo),
    governTool(writ, watch),
    governTool(writ, both),
  ];
  return { read, list, echo: echoed, watch: watched, both: two };
}

describe('tools of LangChain', () => {
  let world: SdkWorld;
  let writ: Writ;
  let tools: ReturnType<typeof governed>;
  const below = { constraint_type: 'path_containment', root: '/work' };

  beforeAll(async () => {
    world = await SdkWorld.create(governed);
    await world.grant({
      'sdk://app/read_file': { path: below },
      'sdk://app/list_folder': { path: below },
      'sdk://app/watch': { path: below },
      'sdk://app/both': { path: below },
      'sdk://app/echo': { input: { constraint_type: 'exact', value: 'hello' } },
    });
    writ = await world.open();
    tools = governed(writ);
  });

  afterEach(() => {
    ran = [];
  });

  afterAll(async () => {
    await writ?.close();
    world?.dispose();
  });

  const lastDecision = async () => (await world.entries(writ)).decisions.at(-1);

  /** An agent whose model calls one tool, and then says that it is done; what the model was told of its call. */
  async function runAgent(name: string, args: Record<string, unknown>): Promise<string> {
    const model = fakeModel()
      .respondWithTools([{ name, args, id: 'call-1' }])
      .respond(new AIMessage('done'));
    const agent = createAgent({ model, tools: [tools.read, tools.list, tools.watch, tools.both] });
    const { messages } = await agent.invoke({ messages: [{ role: 'user', content: 'go' }] });
    expect(messages.at(-1)?.content).toBe('done');
    return String(model.calls.at(-1)?.messages.at(-1)?.content);
  }

  it.each([
    ['read_file', 'content of /work/a'],
    ['list_folder', 'a private field of /work/a'],
    ['watch', 'saw /work/a'],
    ['both', 'content'],
  ])('run once when permitted, and the model gets the result: %s', async (name, answer) => {
    expect(await runAgent(name, { path: '/work/a' })).toBe(answer);
    expect(ran).toHaveLength(1);
    const { decisions, outcomes } = await world.entries(writ);
    expect(decisions.at(-1)).toMatchObject({ verdict: 'permit', tool: `sdk://app/${name}` });
    expect(outcomes.at(-1)).toMatchObject({ id: decisions.at(-1)?.id, status: 'succeeded' });
  });

  it.each(['read_file', 'list_folder', 'watch', 'both'])(
    'do not run when denied, and the model reads why: %s',
    async (name) => {
      const answer = await runAgent(name, { path: '/etc/shadow' });
      expect(ran).toEqual([]);
      const decision = await lastDecision();
      expect(decision).toMatchObject({ verdict: 'deny', code: 'scope.arguments_not_granted' });
      expect(answer).toContain(`(scope.arguments_not_granted, receipt ${decision?.id})`);
    },
  );

  it('receive a signal', async () => {
    await tools.read.invoke({ path: '/work/a' });
    expect(ran).toEqual([{ input: { path: '/work/a' }, hasSignal: true }]);
  });

  it('run what was decided on, whoever changes the input meanwhile', async () => {
    const meddling = (input: { path: string }) => ({
      callbacks: [{ handleToolStart: () => void Object.assign(input, { path: '/etc/shadow' }) }],
    });
    const validated = { path: '/work/a' };
    await tools.list.invoke(validated, meddling(validated));
    expect(ran).toEqual([{ path: '/work/a' }]);
    // With a JSON Schema LangChain copies nothing: what the callback made of it is what is decided on.
    const shared = { path: '/work/a' };
    const answer = await Reflect.apply(tools.both.invoke, tools.both, [shared, meddling(shared)]);
    expect(answer).toContain('scope.arguments_not_granted');
    expect(ran).toHaveLength(1);
  });

  it('may take a text, which is their argument "input"', async () => {
    expect(await tools.echo.invoke('hello')).toBe('hello');
    expect(await tools.echo.invoke('rm -rf')).toContain('scope.arguments_not_granted');
    expect(ran).toEqual(['hello']);
  });

  it('throw when told to', async () => {
    const [strict] = governTools(writ, [new ListFolder()], { denials: 'throw' });
    await expect(strict?.invoke({ path: '/etc/shadow' })).rejects.toThrow('scope.arguments_not_granted');
    expect(ran).toEqual([]);
  });

  it('leave no function open beside the governed way', () => {
    expect(() => tools.read.func({ path: '/etc/shadow' })).toThrow(TypeError);
    expect(() => Object.assign(tools.read, { _call: () => 'anything' })).toThrow(TypeError);
    expect(ran).toEqual([]);
  });
});
