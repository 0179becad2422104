// A record system: it gives out any field of any record, all of them where none is named.

import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveTools } from '../support/serve-tools.ts';

const [records = ''] = process.argv.slice(2);

await serveTools(import.meta.dirname, 'records', {
  read_record: ({ patient, fields }) => {
    const record: Record<string, string> = JSON.parse(readFileSync(join(records, `${patient}.json`), 'utf8'));
    const wanted = Array.isArray(fields) && fields.length > 0 ? fields.map(String) : Object.keys(record);
    return wanted.map((field) => `${field}: ${record[field]}`).join('; ');
  },
  add_note: ({ patient, note }) => {
    appendFileSync(join(records, `${patient}.notes`), `${note}\n`);
    return 'noted';
  },
});
