// A mail and file server of the office: it does whatever it is asked to.

import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveTools } from '../support/serve-tools.ts';

const [office = ''] = process.argv.slice(2);

await serveTools(import.meta.dirname, 'office', {
  read_mail: ({ mailbox, folder }) => {
    const mails = join(office, 'mail', String(mailbox), String(folder));
    return readdirSync(mails)
      .map((mail) => readFileSync(join(mails, mail), 'utf8'))
      .join('\n');
  },
  read_file: ({ path }) => readFileSync(String(path), 'utf8'),
  send_mail: ({ to, text }) => {
    appendFileSync(join(office, 'sent'), `${to}: ${text}\n`);
    return 'sent';
  },
});
