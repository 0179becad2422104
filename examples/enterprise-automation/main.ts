// An assistant of the service desk works on one ticket: it sees the mail and the files of that ticket, while the ticket is open, and
// may answer within the house. The server behind it would do anything it is asked to, and knows nothing of tickets.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playAlone } from '../support/play-alone.ts';
import { type Expected, type PlayOptions, type Report, Scenario } from '../support/scenario.ts';

const EXAMPLE = import.meta.dirname;

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin({ example: EXAMPLE, title: 'Enterprise automation' }, options);
  const office = scene.folder;
  const share = join(office, 'share');
  const put = (path: string, text: string) => {
    mkdirSync(join(office, path, '..'), { recursive: true });
    writeFileSync(join(office, path), text);
  };
  put('mail/support/T-1042/1.eml', 'my printer is on fire');
  put('mail/support/T-2000/1.eml', 'my salary is too low');
  put('mail/board/T-1042/1.eml', 'we sell the company');
  put('share/T-1042/manual.txt', 'call the fire brigade');
  put('share/T-2000/salaries.csv', 'ada,1200');

  await scene.agent('assistant');
  await scene.issue('assistant-office', {
    agent: 'assistant',
    points: ['office'],
    tools: {
      'mcp://office/tools/read_mail': {
        ticket: { constraint_type: 'wildcard' },
        mailbox: { constraint_type: 'exact', value: 'support' },
        folder: { constraint_type: 'exact', value: 'T-1042' },
      },
      'mcp://office/tools/read_file': {
        ticket: { constraint_type: 'wildcard' },
        path: { constraint_type: 'path_containment', root: join(share, 'T-1042') },
      },
      'mcp://office/tools/send_mail': {
        ticket: { constraint_type: 'wildcard' },
        to: { constraint_type: 'string_pattern', pattern: '*@acme.example*' },
        text: { constraint_type: 'wildcard' },
      },
    },
    writ: {
      governance: { purpose: 'service desk', reference: 'T-1042', policy: { id: 'enterprise-automation' } },
    },
  });
  const client = await scene.gateway('office', 'assistant-office', 'assistant', [
    join(EXAMPLE, 'server.ts'),
    office,
  ]);

  let read = '';
  const look = () => {
    const sent = existsSync(join(office, 'sent'))
      ? readFileSync(join(office, 'sent'), 'utf8').trim()
      : 'nothing';
    return `read: ${read || 'nothing'}; sent: ${sent}`;
  };
  const attempt = (
    what: string,
    tool: string,
    args: Record<string, string>,
    expect: Expected,
    sees: { readonly read?: string; readonly sent?: string } = {},
  ) =>
    scene.attempt({
      what,
      at: 'office',
      call: async () => {
        const answer = await client.call(tool, args);
        read = answer.verdict === 'permit' ? answer.text : '';
        return answer;
      },
      expect,
      look,
      sees: `read: ${sees.read ?? 'nothing'}; sent: ${sees.sent ?? 'nothing'}`,
    });

  scene.part('Mail and files of the ticket');
  const mail = { ticket: 'T-1042', mailbox: 'support', folder: 'T-1042' };
  await attempt('read the ticket’s mail', 'read_mail', mail, 'permit', { read: 'my printer is on fire' });
  const manual = { ticket: 'T-1042', path: join(share, 'T-1042', 'manual.txt') };
  await attempt('read the ticket’s file', 'read_file', manual, 'permit', { read: 'call the fire brigade' });

  scene.part('Nothing else');
  const beyond = 'scope.arguments_not_granted';
  await attempt('mail of another ticket', 'read_mail', { ...mail, folder: 'T-2000' }, beyond);
  await attempt('another mailbox', 'read_mail', { ...mail, mailbox: 'board' }, beyond);
  await attempt('a folder by a detour', 'read_mail', { ...mail, folder: 'T-1042/../T-2000' }, beyond);
  const salaries = join(share, 'T-2000', 'salaries.csv');
  await attempt('a file of another ticket', 'read_file', { ticket: 'T-1042', path: salaries }, beyond);
  const detour = `${share}/T-1042/../T-2000/salaries.csv`;
  await attempt('the same by a detour', 'read_file', { ticket: 'T-1042', path: detour }, beyond);
  await attempt(
    'for a ticket it was not asked to work on',
    'read_mail',
    { ...mail, ticket: 'T-2000' },
    'policy.not_permitted',
  );

  scene.part('Mail stays in the house');
  const answer = { ticket: 'T-1042', to: 'ada@acme.example', text: 'help is on its way' };
  const sent = 'ada@acme.example: help is on its way';
  await attempt('answer a colleague', 'send_mail', answer, 'permit', { read: 'sent', sent });
  await attempt(
    'a neighbour by a similar name',
    'send_mail',
    { ...answer, to: 'eve@acme.example.net' },
    'policy.forbidden',
    { sent },
  );

  scene.part('The ticket is closed');
  await scene.writ('artifact', 'revoke', '--artifact', 'assistant-office', '--reason', 'T-1042 is closed');
  await attempt('read the ticket’s mail once more', 'read_mail', mail, 'revocation.revoked', { sent });

  return scene.end();
}

if (import.meta.main) await playAlone(EXAMPLE, play);
