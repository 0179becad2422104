import { isDenial } from '../denial/index.ts';
import { type Home, LineageReader } from '../governor/index.ts';
import type { LineageEntry, Naming } from '../lineage/index.ts';
import { denied, failure } from './cli-error.ts';
import type { Session } from './session.ts';

const LAST = 'last';

/** Reads a domain's lineage, and says what is missing of it. */
export async function withLineage<T>(
  home: Home,
  { output }: Session,
  use: (reader: LineageReader) => T | Promise<T>,
): Promise<T> {
  const reader = LineageReader.open(home);
  if (isDenial(reader)) throw denied(reader, 'see what is wrong with "writ log verify --governance"');
  try {
    const answer = await use(reader);
    for (const log of reader.unreadable) {
      output.note(
        `log ${log} cannot be read: what it holds is missing here (see "writ log verify --log ${log}")`,
      );
    }
    return answer;
  } catch (error) {
    if (error instanceof Error && error.name === 'LogUnavailable') {
      throw failure('log.unavailable', error.message, 'see what is wrong with "writ log verify"');
    }
    throw error;
  } finally {
    reader.close();
  }
}

/** An execution by its id, or the last one. */
export function mustFindEntry(home: Home, reader: LineageReader, id: string): LineageEntry {
  const entry = id === LAST ? reader.last() : reader.find(id);
  if (entry !== undefined) return entry;
  if (id === LAST) {
    throw failure('not_found', 'no decision has been recorded yet', 'run a gateway with "writ mcp" first');
  }
  throw failure(
    'not_found',
    `no log of ${home.domain} knows the execution ${id}`,
    'list them with "writ log show"',
  );
}

/** Agents of this domain by their names, its people and parts by their paths, others by their URIs. */
export function namingOf(home: Home): Naming {
  const agents = home.agent('');
  const domain = `spiffe://${home.domain}/`;
  return {
    nameOf: (subject) => {
      if (subject.startsWith(agents)) return subject.slice(agents.length);
      const path = subject.startsWith(domain) ? subject.slice(domain.length) : '';
      // A path of one segment would look like an agent's name.
      return path.includes('/') ? path : subject;
    },
  };
}
