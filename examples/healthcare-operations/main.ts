// A ward's assistant reads what it needs to treat the patients of its ward, an office's what it needs to bill them. The purpose is
// in the artifact, signed; what a purpose needs is in the policy. What stands in a record is nowhere in Writ's own.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayClient } from '../support/gateway-client.ts';
import { playAlone } from '../support/play-alone.ts';
import { type Expected, type PlayOptions, type Report, Scenario } from '../support/scenario.ts';

const EXAMPLE = import.meta.dirname;

/** What must not be found anywhere in the trust domain afterwards. */
export const CONFIDENTIAL = [
  'tachycardia-7731',
  'metoprolol-4410',
  'insured-under-90x2',
  'sleeps-badly-since-june',
];

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin({ example: EXAMPLE, title: 'Healthcare operations' }, options);
  const records = scene.folder;
  const [diagnosis = '', medication = '', insurance = '', note = ''] = CONFIDENTIAL;
  for (const patient of ['p-17', 'p-99']) {
    const record = { name: 'A. Patient', diagnosis, medication, allergies: 'none', insurance };
    writeFileSync(join(records, `${patient}.json`), JSON.stringify(record));
  }

  // The ward has one patient, the office has two; neither artifact says more than its work needs.
  const patients = (...values: readonly string[]) => ({ constraint_type: 'one_of', values: [...values] });
  const fields = (...allowed: readonly string[]) => ({ constraint_type: 'subset', allowed: [...allowed] });
  const policy = { id: 'healthcare-operations' };
  await scene.agent('ward');
  await scene.issue('ward-records', {
    agent: 'ward',
    points: ['records'],
    tools: {
      'mcp://records/tools/read_record': {
        patient: patients('p-17'),
        fields: fields('name', 'diagnosis', 'medication', 'insurance'),
      },
      'mcp://records/tools/add_note': { patient: patients('p-17'), note: { constraint_type: 'wildcard' } },
    },
    writ: { governance: { purpose: 'treatment', policy } },
  });
  await scene.agent('office');
  await scene.issue('office-records', {
    agent: 'office',
    points: ['records'],
    tools: {
      'mcp://records/tools/read_record': {
        patient: patients('p-17', 'p-99'),
        fields: fields('name', 'diagnosis', 'insurance'),
      },
    },
    writ: { governance: { purpose: 'billing', policy } },
  });

  let seen = '';
  const notes = join(records, 'p-17.notes');
  const look = () =>
    `shown: ${seen || 'nothing'}; notes: ${existsSync(notes) ? readFileSync(notes, 'utf8').trim() : 'none'}`;
  const attempt = (
    client: GatewayClient,
    what: string,
    tool: string,
    args: Record<string, unknown>,
    expect: Expected,
    sees: { readonly shown?: string; readonly notes?: string } = {},
  ) =>
    scene.attempt({
      what,
      at: 'records',
      call: async () => {
        const answer = await client.call(tool, args);
        seen = answer.verdict === 'permit' ? answer.text : '';
        return answer;
      },
      expect,
      look,
      sees: `shown: ${sees.shown ?? 'nothing'}; notes: ${sees.notes ?? 'none'}`,
    });
  const read = (patient: string, ...names: readonly string[]) => ({ patient, fields: names });

  scene.part('To treat');
  const ward = await scene.gateway('records', 'ward-records', 'ward', [join(EXAMPLE, 'server.ts'), records]);
  await attempt(
    ward,
    'read diagnosis and medication',
    'read_record',
    read('p-17', 'diagnosis', 'medication'),
    'permit',
    {
      shown: `diagnosis: ${diagnosis}; medication: ${medication}`,
    },
  );
  await attempt(
    ward,
    'a patient of another ward',
    'read_record',
    read('p-99', 'diagnosis'),
    'scope.arguments_not_granted',
  );
  await attempt(
    ward,
    'who pays, which treats nobody',
    'read_record',
    read('p-17', 'name', 'insurance'),
    'policy.not_permitted',
  );
  await attempt(ward, 'everything, by naming nothing', 'read_record', read('p-17'), 'policy.forbidden');
  await attempt(
    ward,
    'a field of no artifact',
    'read_record',
    read('p-17', 'address'),
    'scope.arguments_not_granted',
  );
  await attempt(ward, 'add a note', 'add_note', { patient: 'p-17', note }, 'permit', {
    shown: 'noted',
    notes: note,
  });
  await ward.close();

  scene.part('To bill');
  const office = await scene.gateway('records', 'office-records', 'office', [
    join(EXAMPLE, 'server.ts'),
    records,
  ]);
  await attempt(office, 'read who pays', 'read_record', read('p-99', 'name', 'insurance'), 'permit', {
    shown: `name: A. Patient; insurance: ${insurance}`,
    notes: note,
  });
  await attempt(office, 'and what for', 'read_record', read('p-99', 'diagnosis'), 'policy.not_permitted', {
    notes: note,
  });
  await attempt(office, 'add a note', 'add_note', { patient: 'p-17', note }, 'scope.tool_not_granted', {
    notes: note,
  });
  await office.close();

  scene.part('What Writ itself knows of it');
  const report = await scene.end();
  const files = readdirSync(scene.home.folder, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const found = files.filter((file) => {
    const bytes = readFileSync(join(file.parentPath, file.name));
    return CONFIDENTIAL.some((text) => bytes.includes(text));
  });
  scene.tell(
    `what stands in the records is found in ${found.length} of ${files.length} files of the trust domain`,
  );
  return { ...report, ok: report.ok && found.length === 0 };
}

if (import.meta.main) await playAlone(EXAMPLE, play);
