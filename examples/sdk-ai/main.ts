import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { generateText, type LanguageModel, stepCountIs, tool } from 'ai';
import { z } from 'zod';
import { governTools } from '../../src/enforce/sdk/ai-sdk.ts';
import { openWrit, type Writ } from '../../src/index.ts';

/** A tool set of the AI SDK, governed as a whole. */
export function governNotes(writ: Writ, folder: string) {
  const inputSchema = z.object({ name: z.string() });
  return governTools(
    writ,
    {
      readNote: tool({
        description: 'Reads a note',
        inputSchema,
        execute: ({ name }) => readFile(join(folder, name), 'utf8'),
      }),
      deleteNote: tool({
        description: 'Deletes a note',
        inputSchema,
        execute: ({ name }) => rm(join(folder, name)),
      }),
    },
    { readNote: { annotations: { readOnlyHint: true } } },
  );
}

/** Lets a model use them. */
export async function main(
  model: LanguageModel,
  folder: string,
  write: (line: string) => void,
  home?: string,
): Promise<void> {
  const writ = await openWrit({ name: 'ai-notes', ...(home === undefined ? {} : { home }) });
  try {
    const { text } = await generateText({
      model,
      tools: governNotes(writ, folder),
      prompt: 'Read today.txt, then delete it.',
      stopWhen: stepCountIs(5),
    });
    write(text);
  } finally {
    await writ.close();
  }
}
