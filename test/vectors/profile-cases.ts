import type { JsonObject, JsonValue } from '../../src/codec/index.ts';
import { type CaseList, GATEWAY, NOW } from './case-list.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const COMPONENT = { kind: 'server', name: 'fs', digest: DIGEST };
const WINDOW = { days: ['thu'], from: '15:00', to: '17:00', tz: 'UTC' };

/** `nbf` and every member of the claim `writ` (spec/artifact.md). */
export function addProfileCases(list: CaseList): void {
  list.root('nbf', 'nbf now', 'permit', { nbf: NOW });
  list.root('nbf', 'nbf in the future', 'artifact.not_yet_valid', { nbf: NOW + 1 });
  list.root('nbf', 'nbf is text', 'artifact.malformed', { nbf: '1' });
  list.root(
    'nbf',
    'nbf written with an exponent',
    'artifact.malformed',
    { nbf: NOW },
    {
      payload: (text) => text.replace('"nbf":1767283200', '"nbf":17672832e2'),
    },
  );
  list.child('nbf', 'nbf of the child in the future', 'artifact.not_yet_valid', { nbf: NOW + 1 });
  const later = list.maker.root({ nbf: NOW + 1 });
  list.add('nbf', 'nbf of the root is not lifted by the child', 'artifact.not_yet_valid', [
    later,
    list.maker.child(later, { nbf: NOW }),
  ]);
  addWellFormedness(list);
  addCounting(list);
  addWindows(list);
}

function addWellFormedness(list: CaseList): void {
  const full = {
    initiator: { id: 'spiffe://example.org/agent/planner', kind: 'agent' },
    environment: { digests: [DIGEST], components: [COMPONENT], assurance: 'tpm', maxAgeSeconds: 60 },
    governance: {
      policy: { id: 'base', digest: DIGEST },
      approvals: [{ role: 'release', threshold: 2 }],
      purpose: 'report',
      reference: 'TICKET-1',
      risk: 'low',
    },
    use: {
      maxUses: 3,
      maxDurationSeconds: 60,
      budgets: [{ argument: 'amount', total: 10.5 }],
      windows: [WINDOW],
    },
    attribution: { owner: 'team-a', onBehalfOf: ['customer-1'] },
  };
  list.root('writ', 'writ with every member', 'permit', { aud: GATEWAY, writ: full });
  list.child('writ', 'writ in a derived token', 'permit', { aud: GATEWAY, writ: full });
  list.root('writ', 'writ empty', 'permit', { writ: {} });
  const refused: readonly (readonly [string, JsonValue])[] = [
    ['is text', 'x'],
    ['is null', null],
    ['unknown member', { quota: 1 }],
    ['initiator.id is not a URI', { initiator: { id: 'me', kind: 'human' } }],
    ['initiator.kind unknown', { initiator: { id: 'urn:x:1', kind: 'robot' } }],
    ['initiator.kind absent', { initiator: { id: 'urn:x:1' } }],
    ['initiator unknown member', { initiator: { id: 'urn:x:1', kind: 'human', name: 'x' } }],
    ['environment unknown member', { environment: { digest: DIGEST } }],
    ['environment.digests empty', { environment: { digests: [] } }],
    ['environment.digests of another form', { environment: { digests: ['sha256:AB'] } }],
    ['environment.components without digest', { environment: { components: [{ kind: 'a', name: 'b' }] } }],
    ['environment.assurance unknown', { environment: { assurance: 'high' } }],
    ['environment.maxAgeSeconds zero', { environment: { maxAgeSeconds: 0 } }],
    ['governance unknown member', { governance: { approval: [] } }],
    ['governance.policy without id', { governance: { policy: { digest: DIGEST } } }],
    ['governance.policy.digest of another form', { governance: { policy: { id: 'p', digest: 'md5:00' } } }],
    ['governance.approvals threshold zero', { governance: { approvals: [{ role: 'r', threshold: 0 }] } }],
    [
      'governance.approvals role twice',
      {
        governance: {
          approvals: [
            { role: 'r', threshold: 1 },
            { role: 'r', threshold: 2 },
          ],
        },
      },
    ],
    ['governance.risk is a number', { governance: { risk: 1 } }],
    ['use unknown member', { use: { maxUse: 1 } }],
    ['use.maxDurationSeconds fractional', { use: { maxDurationSeconds: 1.5 } }],
    ['use.windows empty', { use: { windows: [] } }],
    ['attribution without owner', { attribution: { onBehalfOf: ['a'] } }],
    ['attribution.onBehalfOf is text', { attribution: { owner: 'a', onBehalfOf: 'b' } }],
  ];
  for (const [name, writ] of refused) {
    list.root('writ', `writ ${name}`, 'artifact.malformed', { aud: GATEWAY, writ });
  }
  list.child('writ', 'writ unknown member in a derived token', 'artifact.malformed', { writ: { quota: 1 } });
  list.child('writ', 'writ malformed initiator in a derived token', 'artifact.malformed', {
    writ: { initiator: {} },
  });
}

function addCounting(list: CaseList): void {
  const budget = (total: JsonValue, argument: JsonValue = 'amount') => ({
    use: { budgets: [{ argument, total }] },
  });
  list.root('writ', 'writ use.maxUses with one audience', 'permit', {
    aud: [GATEWAY],
    writ: { use: { maxUses: 1 } },
  });
  list.root('writ', 'writ use.maxUses without audience', 'artifact.malformed', {
    writ: { use: { maxUses: 1 } },
  });
  list.root('writ', 'writ use.maxUses with two audiences', 'artifact.malformed', {
    aud: [GATEWAY, 'https://other.example'],
    writ: { use: { maxUses: 1 } },
  });
  list.root('writ', 'writ use.budgets without audience', 'artifact.malformed', { writ: budget(1) });
  const root = list.maker.root({ aud: GATEWAY });
  list.add('writ', 'writ use.maxUses with the audience of the parent alone', 'artifact.malformed', [
    root,
    list.maker.child(root, { writ: { use: { maxUses: 1 } } }),
  ]);
  for (const [name, writ] of [
    ['use.maxUses zero', { use: { maxUses: 0 } }],
    ['use.maxUses is text', { use: { maxUses: '1' } }],
    ['use.budgets total zero', budget(0)],
    ['use.budgets total negative', budget(-1)],
    ['use.budgets total is text', budget('1')],
    ['use.budgets argument empty', budget(1, '')],
    [
      'use.budgets argument twice',
      {
        use: {
          budgets: [
            { argument: 'a', total: 1 },
            { argument: 'a', total: 2 },
          ],
        },
      },
    ],
  ] as const) {
    list.root('writ', `writ ${name}`, 'artifact.malformed', { aud: GATEWAY, writ });
  }
}

function addWindows(list: CaseList): void {
  const claim = (members: JsonObject) => ({ writ: { use: { windows: [{ ...WINDOW, ...members }] } } });
  // It is Thursday 16:00 UTC, 11:00 in New York, and Friday 01:00 in Tokyo.
  const open: readonly (readonly [string, JsonObject])[] = [
    ['around now', {}],
    ['from now', { from: '16:00' }],
    ['all day', { from: '00:00', to: '24:00' }],
    ['overnight since yesterday', { days: ['wed'], from: '20:00', to: '18:00' }],
    ['overnight since today', { from: '15:30', to: '06:00' }],
    ['in New York', { from: '11:00', to: '11:01', tz: 'America/New_York' }],
    ['already tomorrow in Tokyo', { days: ['fri'], from: '01:00', to: '02:00', tz: 'Asia/Tokyo' }],
    ['overnight in Tokyo', { from: '22:00', to: '02:00', tz: 'Asia/Tokyo' }],
  ];
  for (const [name, members] of open) list.root('window', `window open ${name}`, 'permit', claim(members));
  const shut: readonly (readonly [string, JsonObject])[] = [
    ['until now', { to: '16:00' }],
    ['on another day', { days: ['mon', 'tue', 'wed', 'fri', 'sat', 'sun'] }],
    ['overnight but not since yesterday', { from: '20:00', to: '18:00' }],
    ['overnight until yesterday', { days: ['wed'], from: '20:00', to: '16:00' }],
    ['still today in Tokyo', { days: ['thu'], from: '01:00', to: '02:00', tz: 'Asia/Tokyo' }],
  ];
  for (const [name, members] of shut)
    list.root('window', `window shut ${name}`, 'scope.outside_window', claim(members));
  const refused: readonly (readonly [string, JsonObject])[] = [
    ['day in capitals', { days: ['THU'] }],
    ['day twice', { days: ['thu', 'thu'] }],
    ['no day', { days: [] }],
    ['hour 24 as start', { from: '24:00' }],
    ['minute 60', { to: '16:60' }],
    ['one digit', { from: '9:00' }],
    ['of no length', { from: '16:00', to: '16:00' }],
    ['unknown zone', { tz: 'Europe/Atlantis' }],
    ['offset as zone', { tz: '+01:00' }],
    ['unknown member', { until: '17:00' }],
  ];
  for (const [name, members] of refused)
    list.root('window', `window ${name}`, 'artifact.malformed', claim(members));
  list.root('window', 'window second of two open', 'permit', {
    writ: { use: { windows: [{ ...WINDOW, days: ['mon'] }, WINDOW] } },
  });
  const shutRoot = list.maker.root(claim({ days: ['mon'] }));
  list.add('window', 'window of the root still holds below it', 'scope.outside_window', [
    shutRoot,
    list.maker.child(shutRoot, claim({})),
  ]);
  list.child('window', 'window of the child', 'scope.outside_window', claim({ days: ['mon'] }));
}
