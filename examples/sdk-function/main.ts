import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { govern, openWrit, type Writ, WritDenied } from '../../src/index.ts';

/** Two functions, governed: one that reads a note, one that deletes it. */
export function governNotes(writ: Writ, folder: string) {
  const note = z.object({ name: z.string() });
  return {
    readNote: govern(
      writ,
      {
        name: 'read_note',
        description: 'Reads a note',
        inputSchema: note,
        annotations: { readOnlyHint: true },
      },
      ({ name }: { name: string }, { signal }) => readFile(join(folder, name), { encoding: 'utf8', signal }),
    ),
    deleteNote: govern(
      writ,
      { name: 'delete_note', description: 'Deletes a note', inputSchema: note },
      ({ name }: { name: string }) => rm(join(folder, name)),
    ),
  };
}

/** Reads a note, and is not allowed to delete it. */
export async function main(folder: string, write: (line: string) => void, home?: string): Promise<void> {
  const writ = await openWrit({ name: 'notes', ...(home === undefined ? {} : { home }) });
  try {
    const { readNote, deleteNote } = governNotes(writ, folder);
    write(`read: ${await readNote({ name: 'today.txt' })}`);
    await deleteNote({ name: 'today.txt' });
  } catch (error) {
    if (!(error instanceof WritDenied)) throw error;
    write(error.message);
  } finally {
    await writ.close();
  }
}
