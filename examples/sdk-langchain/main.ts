import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { tool } from '@langchain/core/tools';
import { createAgent } from 'langchain';
import { z } from 'zod';
import { governTool } from '../../src/enforce/sdk/langchain.ts';
import { openWrit, type Writ } from '../../src/index.ts';

/** LangChain tools, governed. */
export function governNotes(writ: Writ, folder: string) {
  const schema = z.object({ name: z.string() });
  const readNote = tool(({ name }) => readFile(join(folder, name), 'utf8'), {
    name: 'read_note',
    description: 'Reads a note',
    schema,
  });
  const deleteNote = tool(
    async ({ name }) => {
      await rm(join(folder, name));
      return 'deleted';
    },
    { name: 'delete_note', description: 'Deletes a note', schema },
  );
  return [governTool(writ, readNote, { annotations: { readOnlyHint: true } }), governTool(writ, deleteNote)];
}

/** Lets an agent use them. */
export async function main(
  model: BaseChatModel,
  folder: string,
  write: (line: string) => void,
  home?: string,
): Promise<void> {
  const writ = await openWrit({ name: 'chain-notes', ...(home === undefined ? {} : { home }) });
  try {
    const agent = createAgent({ model, tools: governNotes(writ, folder) });
    const { messages } = await agent.invoke({
      messages: [{ role: 'user', content: 'Read today.txt, then delete it.' }],
    });
    write(String(messages.at(-1)?.content));
  } finally {
    await writ.close();
  }
}
