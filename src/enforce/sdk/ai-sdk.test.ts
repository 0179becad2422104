import { dynamicTool, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { MockLanguageModelV3, simulateReadableStream } from 'ai/test';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { governTool, governTools } from './ai-sdk.ts';
import { SdkWorld, unopenedWrit } from './sdk.test-support.ts';
import type { Writ } from './writ.ts';

let ran: unknown[] = [];

function governed(writ: Writ) {
  const tools = {
    readFile: tool({
      description: 'Reads a file',
      inputSchema: z.object({ path: z.string(), head: z.int().optional() }),
      execute: async (input, { abortSignal }) => {
        ran.push({ input, isFrozen: Object.isFrozen(input), hasSignal: abortSignal instanceof AbortSignal });
        return { text: `content of ${input.path}` };
      },
    }),
    writeFile: tool({
      inputSchema: jsonSchema<{ path: string }>({
        type: 'object',
        properties: { path: { type: 'string' } },
        required: ['path'],
      }),
      execute: (input) => {
        ran.push(input);
        return 'written';
      },
    }),
    search: tool({
      inputSchema: z.object({ query: z.string() }),
      async *execute(input) {
        ran.push(input);
        yield `searching ${input.query}`;
        yield `found ${input.query}`;
      },
    }),
    when: tool({
      inputSchema: z.object({ day: z.string().transform((day) => new Date(day)) }),
      execute: (input) => {
        ran.push(input);
        return 'then';
      },
    }),
  };
  return governTools(writ, tools, {
    readFile: { annotations: { readOnlyHint: true } },
    when: { inputSchema: { type: 'object', properties: { day: { type: 'string' } } } },
  });
}

const any = { constraint_type: 'wildcard' };
const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

type Call = { toolName: string; input: string };

/** A model that calls one tool, and then says that it is done. */
function modelThatCalls(...calls: Call[]): MockLanguageModelV3 {
  return new MockLanguageModelV3({
    doGenerate: [
      {
        content: calls.map((call, index) => ({ type: 'tool-call', toolCallId: `call-${index}`, ...call })),
        finishReason: { unified: 'tool-calls', raw: undefined },
        usage: USAGE,
        warnings: [],
      },
      {
        content: [{ type: 'text', text: 'done' }],
        finishReason: { unified: 'stop', raw: undefined },
        usage: USAGE,
        warnings: [],
      },
    ],
  });
}

describe('tools of the AI SDK', () => {
  let world: SdkWorld;
  let writ: Writ;
  let tools: ReturnType<typeof governed>;

  beforeAll(async () => {
    world = await SdkWorld.create(governed);
    await world.grant({
      'sdk://app/readFile': {
        path: { constraint_type: 'path_containment', root: '/work' },
        head: { ...any, optional: true },
      },
      'sdk://app/search': { query: any },
      'sdk://app/when': { day: any },
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

  const ask = (model: MockLanguageModelV3) =>
    generateText({ model, tools, prompt: 'go', stopWhen: stepCountIs(3) });

  /** What the model was told of its call. */
  const answerTo = (model: MockLanguageModelV3) =>
    JSON.stringify(model.doGenerateCalls.at(-1)?.prompt.findLast(({ role }) => role === 'tool'));

  it('run once when permitted, and the model gets the result', async () => {
    const model = modelThatCalls({ toolName: 'readFile', input: '{"path":"/work/a"}' });
    const { text } = await ask(model);
    expect(text).toBe('done');
    expect(ran).toEqual([{ input: { path: '/work/a' }, isFrozen: true, hasSignal: true }]);
    expect(answerTo(model)).toContain('content of /work/a');
    const { decisions, outcomes } = await world.entries(writ);
    expect(decisions.at(-1)).toMatchObject({ verdict: 'permit', tool: 'sdk://app/readFile' });
    expect(outcomes.at(-1)).toMatchObject({ id: decisions.at(-1)?.id, status: 'succeeded' });
  });

  it.each([
    [
      'a path outside',
      { toolName: 'readFile', input: '{"path":"/etc/shadow"}' },
      'scope.arguments_not_granted',
    ],
    [
      'a way out',
      { toolName: 'readFile', input: '{"path":"/work/../etc/shadow"}' },
      'scope.arguments_not_granted',
    ],
    ['another tool', { toolName: 'writeFile', input: '{"path":"/work/a"}' }, 'scope.tool_not_granted'],
    ['input that became a Date', { toolName: 'when', input: '{"day":"2026-11-27"}' }, 'request.malformed'],
  ])('do not run when denied, and the model reads why: %s', async (_name, call, code) => {
    const model = modelThatCalls(call);
    const { text, steps } = await ask(model);
    expect(ran).toEqual([]);
    expect(steps[0]?.content.map(({ type }) => type)).toContain('tool-error');
    const { decisions } = await world.entries(writ);
    expect(decisions.at(-1)).toMatchObject({ verdict: 'deny', code });
    expect(answerTo(model)).toContain(`(${code}, receipt ${decisions.at(-1)?.id})`);
    expect(text).toBe('done');
  });

  it('run what was decided on when the input changes meanwhile', async () => {
    const input = { path: '/work/a' };
    const call = tools.readFile.execute(input, { toolCallId: '1', messages: [], context: {} });
    input.path = '/etc/shadow';
    await call;
    expect(ran).toMatchObject([{ input: { path: '/work/a' } }]);
  });

  it('pass preliminary results on while they run, in one execution', async () => {
    const chunks = (call: Call | undefined) =>
      simulateReadableStream({
        chunks: [
          { type: 'stream-start' as const, warnings: [] },
          ...(call === undefined ? [] : [{ type: 'tool-call' as const, toolCallId: '1', ...call }]),
          {
            type: 'finish' as const,
            finishReason: {
              unified: call === undefined ? ('stop' as const) : ('tool-calls' as const),
              raw: undefined,
            },
            usage: USAGE,
          },
        ],
      });
    const model = new MockLanguageModelV3({
      doStream: [
        { stream: chunks({ toolName: 'search', input: '{"query":"x"}' }) },
        { stream: chunks(undefined) },
      ],
    });
    const results: unknown[] = [];
    const { stream } = streamText({ model, tools, prompt: 'go', stopWhen: stepCountIs(3) });
    for await (const part of stream) {
      if (part.type === 'tool-result') results.push([part.preliminary === true, part.output]);
    }
    expect(results).toEqual([
      [true, 'searching x'],
      [true, 'found x'],
      [false, 'found x'],
    ]);
    expect(ran).toEqual([{ query: 'x' }]);
    const { outcomes } = await world.entries(writ);
    expect(outcomes.at(-1)).toMatchObject({ status: 'succeeded', result: { bytes: 9 } });
  });

  it('end when nobody reads their preliminary results on', async () => {
    const options = { toolCallId: '1', messages: [], context: {} };
    const results = tools.search.execute({ query: 'x' }, options) as AsyncIterable<string>;
    for await (const result of results) {
      expect(result).toBe('searching x');
      break;
    }
    // What was stopped concludes in its own time.
    await new Promise((resolve) => setImmediate(resolve));
    const { outcomes } = await world.entries(writ);
    expect(outcomes.at(-1)).toMatchObject({ status: 'unknown', note: 'cancelled by the caller' });
  });

  it('stop streaming when their authority ends, and say so', async () => {
    await world.grant(
      { 'sdk://app/search': { query: any } },
      { writ: { use: { maxDurationSeconds: 1 } } },
      'brief',
    );
    const brief = await world.open({ artifact: 'brief', name: 'app' });
    try {
      let ended = false;
      const endless = tool({
        inputSchema: z.object({ query: z.string() }),
        async *execute(_input, { abortSignal }) {
          try {
            for (;;) {
              yield 'on and on';
              await new Promise((resolve) => abortSignal?.addEventListener('abort', resolve));
            }
          } finally {
            ended = true;
          }
        },
      });
      const { search } = governTools(brief, { search: endless });
      const options = { toolCallId: '1', messages: [], context: {} };
      const seen: unknown[] = [];
      const reading = (async () => {
        const results = search.execute({ query: 'x' }, options) as AsyncIterable<string>;
        for await (const result of results) seen.push(result);
      })();
      await expect(reading).rejects.toThrow('scope.use_exhausted');
      expect(seen).toEqual(['on and on']);
      expect(ended).toBe(true);
    } finally {
      await brief.close();
    }
  });

  it('do not start streaming when denied', async () => {
    const options = { toolCallId: '1', messages: [], context: {} };
    const results = tools.search.execute({ query: 7 } as never, options) as AsyncIterable<string>;
    await expect(
      (async () => {
        for await (const result of results) ran.push(result);
      })(),
    ).rejects.toThrow('policy.evaluation_failed');
    expect(ran).toEqual([]);
  });

  it('are refused where they run elsewhere', () => {
    const client = tool({ inputSchema: z.object({}) });
    expect(() => governTool(unopenedWrit(), 'client', client)).toThrow('cannot be governed');
    const hosted = { type: 'provider', id: 'x.search', args: {}, inputSchema: z.object({}) };
    expect(() => governTool(unopenedWrit(), 'hosted', hosted)).toThrow('cannot be governed');
  });

  it('cannot be changed or added to afterwards', () => {
    expect(() => Object.assign(tools.readFile, { execute: () => 'anything' })).toThrow(TypeError);
    expect(() => Object.assign(tools, { more: {} })).toThrow(TypeError);
  });

  it('can be dynamic, and yield where nobody said so', async () => {
    const more = unopenedWrit();
    const one = governTool(
      more,
      'one',
      dynamicTool({ description: 'x', inputSchema: z.object({ a: z.string() }), execute: async () => 1 }),
    );
    expect(one.type).toBe('dynamic');
    expect(more.manifest().tools[0]).toMatchObject({ id: 'sdk://app/one', definition: { description: 'x' } });
  });
});
