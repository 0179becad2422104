import { Agent, hostedMcpTool, run, setTracingDisabled, tool } from '@openai/agents';
import { assistantMessage, functionCall, ScriptedModel } from '@openai/agents/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { governTool, governTools } from './openai-agents.ts';
import { SdkWorld, unopenedWrit } from './sdk.test-support.ts';
import type { Writ } from './writ.ts';

setTracingDisabled(true);

let ran: unknown[] = [];

function governed(writ: Writ) {
  const readFile = tool({
    name: 'read_file',
    description: 'Reads a file',
    parameters: z.object({ path: z.string() }),
    execute: async (input) => {
      ran.push(input);
      return `content of ${input.path}`;
    },
  });
  const writeFile = tool({
    name: 'write_file',
    description: 'Writes a file',
    parameters: z.object({ path: z.string() }),
    execute: (input) => {
      ran.push(input);
      return 'written';
    },
  });
  const failing = tool({
    name: 'failing',
    description: 'Fails',
    parameters: z.object({}),
    errorFunction: null,
    execute: () => {
      throw new Error('SECRET');
    },
  });
  return governTools(writ, [readFile, writeFile, failing], {
    tools: { read_file: { annotations: { readOnlyHint: true } } },
  });
}

describe('function tools of the OpenAI Agents SDK', () => {
  let world: SdkWorld;
  let writ: Writ;
  let tools: ReturnType<typeof governed>;

  beforeAll(async () => {
    world = await SdkWorld.create((writ) => {
      governed(writ);
      governTool(writ, asker([]));
    });
    await world.grant({
      'sdk://app/read_file': { path: { constraint_type: 'path_containment', root: '/work' } },
      'sdk://app/failing': {},
      'sdk://app/ask_reader': {},
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

  /** An agent whose model calls one tool, and then says that it is done. */
  async function runAgent(name: string, input: string, using = tools) {
    const model = new ScriptedModel([
      [functionCall(name, {}, { callId: 'call-1' })].map((call) => ({ ...call, arguments: input })),
      [assistantMessage('done')],
    ]);
    const { finalOutput } = await run(new Agent({ name: 'agent', model, tools: using }), 'go');
    return { finalOutput, answer: JSON.stringify(model.calls.at(-1)?.request.input) };
  }

  it('run once when permitted, and the model gets the result', async () => {
    const { finalOutput, answer } = await runAgent('read_file', '{"path":"/work/a"}');
    expect(finalOutput).toBe('done');
    expect(answer).toContain('content of /work/a');
    expect(ran).toEqual([{ path: '/work/a' }]);
    const { decisions, outcomes } = await world.entries(writ);
    expect(decisions.at(-1)).toMatchObject({ verdict: 'permit', tool: 'sdk://app/read_file' });
    expect(outcomes.at(-1)).toMatchObject({ id: decisions.at(-1)?.id, status: 'succeeded' });
  });

  it.each([
    ['read_file', '{"path":"/etc/shadow"}', 'scope.arguments_not_granted'],
    ['write_file', '{"path":"/work/a"}', 'scope.tool_not_granted'],
    ['read_file', '{"path":"/work/a","path":"/etc/shadow"}', 'request.malformed'],
    ['read_file', '{"path":"/work/a","size":9007199254740993}', 'request.malformed'],
    ['read_file', '{"path":"/work/a","__proto__":{}}', 'request.malformed'],
    ['read_file', '["/work/a"]', 'request.malformed'],
  ])('do not run when denied, and the model reads why: %s %s', async (name, input, code) => {
    const { finalOutput, answer } = await runAgent(name, input);
    expect(ran).toEqual([]);
    const { decisions } = await world.entries(writ);
    expect(decisions.at(-1)).toMatchObject({ verdict: 'deny', code });
    expect(answer).toContain(`(${code}, receipt ${decisions.at(-1)?.id})`);
    expect(finalOutput).toBe('done');
  });

  it('end the run when told to', async () => {
    const [strict] = governTools(writ, [...tools].slice(1, 2), { denials: 'throw' });
    // Governed twice: it asks twice, and is denied at the first.
    await expect(runAgent('write_file', '{"path":"/work/a"}', strict ? [strict] : [])).rejects.toThrow();
    expect(ran).toEqual([]);
  });

  it('are recorded as failed when they throw, without what they said', async () => {
    await expect(runAgent('failing', '{}')).rejects.toThrow();
    const { outcomes } = await world.entries(writ);
    expect(outcomes.at(-1)).toMatchObject({ status: 'failed', note: 'the function threw' });
    expect(JSON.stringify(outcomes)).not.toContain('SECRET');
  });

  /** An agent as a tool, which has tools of its own. */
  function asker(inner: ReturnType<typeof governed>) {
    const model = new ScriptedModel([
      [{ ...functionCall('read_file', {}, { callId: 'inner' }), arguments: '{"path":"/work/b"}' }],
      [assistantMessage('read it')],
    ]);
    return new Agent({ name: 'reader', model, tools: inner }).asTool({
      toolName: 'ask_reader',
      toolDescription: 'Asks the reader',
    });
  }

  it('may be agents: what those call are its children', async () => {
    const outer = governTool(writ, asker(tools));
    const model = new ScriptedModel([
      [{ ...functionCall('ask_reader', {}, { callId: 'outer' }), arguments: '{"input":"read b"}' }],
      [assistantMessage('done')],
    ]);
    await run(new Agent({ name: 'agent', model, tools: [outer] }), 'go');
    expect(ran).toEqual([{ path: '/work/b' }]);
    const [asked, read] = (await world.entries(writ)).decisions.slice(-2);
    expect(asked).toMatchObject({ tool: 'sdk://app/ask_reader', verdict: 'permit' });
    expect(read).toMatchObject({ tool: 'sdk://app/read_file', lineage: { parent: asked?.id } });
  });

  it('are refused where they run elsewhere', () => {
    const hosted = hostedMcpTool({ serverLabel: 'x', serverUrl: 'https://example.org' });
    expect(() => governTool(unopenedWrit(), hosted as never)).toThrow('cannot be governed');
  });
});
