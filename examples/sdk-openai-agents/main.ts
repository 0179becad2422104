import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, type Model, run, tool } from '@openai/agents';
import { z } from 'zod';
import { governTools } from '../../src/enforce/sdk/openai-agents.ts';
import { openWrit, type Writ } from '../../src/index.ts';

/** Function tools of the OpenAI Agents SDK, governed. */
export function governNotes(writ: Writ, folder: string) {
  const parameters = z.object({ name: z.string() });
  const tools = [
    tool({
      name: 'read_note',
      description: 'Reads a note',
      parameters,
      execute: ({ name }) => readFile(join(folder, name), 'utf8'),
    }),
    tool({
      name: 'delete_note',
      description: 'Deletes a note',
      parameters,
      execute: async ({ name }) => {
        await rm(join(folder, name));
        return 'deleted';
      },
    }),
  ];
  return governTools(writ, tools, { tools: { read_note: { annotations: { readOnlyHint: true } } } });
}

/** Lets an agent use them. */
export async function main(
  model: Model,
  folder: string,
  write: (line: string) => void,
  home?: string,
): Promise<void> {
  const writ = await openWrit({ name: 'agent-notes', ...(home === undefined ? {} : { home }) });
  try {
    const agent = new Agent({ name: 'notes', model, tools: governNotes(writ, folder) });
    const { finalOutput } = await run(agent, 'Read today.txt, then delete it.');
    write(String(finalOutput));
  } finally {
    await writ.close();
  }
}
