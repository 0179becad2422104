import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AIMessage } from '@langchain/core/messages';
import { fakeModel } from '@langchain/core/testing';
import { setTracingDisabled } from '@openai/agents';
import { assistantMessage, functionCall, ScriptedModel } from '@openai/agents/testing';
import { MockLanguageModelV3 } from 'ai/test';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as ai from '../../examples/sdk-ai/main.ts';
import * as plain from '../../examples/sdk-function/main.ts';
import * as chain from '../../examples/sdk-langchain/main.ts';
import * as agents from '../../examples/sdk-openai-agents/main.ts';
import { makeFolder, writ } from '../../src/cli/run.test-support.ts';
import { isDenial } from '../../src/denial/index.ts';
import { openWrit } from '../../src/index.ts';
import { parseDecisionReceipt } from '../../src/receipt/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';

setTracingDisabled(true);

const ARGS = { name: 'today.txt' };
const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

function aiModel(): MockLanguageModelV3 {
  const turn = (toolName: string | undefined) => ({
    content: [
      toolName === undefined
        ? { type: 'text' as const, text: 'done' }
        : { type: 'tool-call' as const, toolCallId: toolName, toolName, input: JSON.stringify(ARGS) },
    ],
    finishReason: {
      unified: toolName === undefined ? ('stop' as const) : ('tool-calls' as const),
      raw: undefined,
    },
    usage: USAGE,
    warnings: [],
  });
  return new MockLanguageModelV3({ doGenerate: [turn('readNote'), turn('deleteNote'), turn(undefined)] });
}

/** Each program, with a model that reads the note, tries to delete it, and says that it is done. */
const PROGRAMS = {
  notes: {
    govern: plain.governNotes,
    main: plain.main,
    says: ['read: buy milk', 'scope.tool_not_granted'],
  },
  'ai-notes': {
    govern: ai.governNotes,
    main: (folder: string, write: (line: string) => void, home: string) =>
      ai.main(aiModel(), folder, write, home),
    says: ['done'],
  },
  'agent-notes': {
    govern: agents.governNotes,
    main: (folder: string, write: (line: string) => void, home: string) =>
      agents.main(
        new ScriptedModel([
          [functionCall('read_note', ARGS, { callId: '1' })],
          [functionCall('delete_note', ARGS, { callId: '2' })],
          [assistantMessage('done')],
        ]),
        folder,
        write,
        home,
      ),
    says: ['done'],
  },
  'chain-notes': {
    govern: chain.governNotes,
    main: (folder: string, write: (line: string) => void, home: string) =>
      chain.main(
        fakeModel()
          .respondWithTools([{ name: 'read_note', args: ARGS, id: '1' }])
          .respondWithTools([{ name: 'delete_note', args: ARGS, id: '2' }])
          .respond(new AIMessage('done')),
        folder,
        write,
        home,
      ),
    says: ['done'],
  },
};

describe('the examples of the SDK, as docs/sdk.md goes through them', () => {
  const { folder, remove } = makeFolder();
  const home = join(folder, '.writ');
  const notes = join(folder, 'notes');
  const note = join(notes, 'today.txt');

  beforeAll(async () => {
    mkdirSync(notes);
    writeFileSync(note, 'buy milk');
    await writ({ cwd: folder }, 'init');
  });

  afterAll(remove);

  it.each(Object.entries(PROGRAMS))('%s reads, and does not delete', async (name, { govern, main, says }) => {
    const opened = await openWrit({ name, home });
    govern(opened, notes);
    const manifest = JSON.stringify(opened.manifest());
    await opened.close();
    writeFileSync(join(folder, 'tools.json'), manifest);
    expect(await writ({ cwd: folder }, 'sdk', 'adopt', 'tools.json')).toMatchObject({ code: 0 });

    const lines: string[] = [];
    await main(notes, (line) => lines.push(line), home);
    for (const text of says) expect(lines.join('\n')).toContain(text);
    expect(existsSync(note)).toBe(true);
    const reader = openSqliteLogReader(join(home, 'execution', name));
    const decisions = reader.read(0, reader.head().size).map(parseDecisionReceipt);
    reader.close();
    expect(decisions.flatMap((entry) => (isDenial(entry) ? [] : [entry.code ?? entry.verdict]))).toEqual([
      'permit',
      'scope.tool_not_granted',
    ]);
  });
});
