// An optimiser that is a program moves the set points of a pumping station: within a range that nothing can widen, while the
// control room is staffed, and only with two operators' signatures. In an emergency one person may stand in for both: that is
// on record until somebody else has looked at it, and widens nothing else.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { govern } from '../../src/index.ts';
import { contract } from '../support/contracts.ts';
import { playAlone } from '../support/play-alone.ts';
import { type Expected, type PlayOptions, type Report, Scenario } from '../support/scenario.ts';

const EXAMPLE = import.meta.dirname;

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin(
    { example: EXAMPLE, title: 'Critical infrastructure', at: '2026-11-02T14:00:00Z' },
    options,
  );
  const plant = join(scene.folder, 'north.kpa');
  writeFileSync(plant, '400');

  await scene.approver('ada', 'operator');
  await scene.approver('bob', 'operator');
  await scene.approver('carol', 'operator');
  await scene.approver('dora', 'break-glass');

  // The shift's artifact names one pump, 300 to 900 kPa, until the shift ends. Carol asked for it.
  await scene.agent('optimiser');
  await scene.issue('optimiser-station', {
    agent: 'optimiser',
    points: ['station'],
    tools: {
      'sdk://station/set_pressure': {
        pump: { constraint_type: 'exact', value: 'north' },
        kilopascals: { constraint_type: 'range', min: 300, max: 900 },
      },
      'sdk://station/read_pressure': { pump: { constraint_type: 'wildcard' } },
    },
    writ: {
      initiator: { id: `spiffe://${scene.home.domain}/user/carol`, kind: 'human' },
      governance: { purpose: 'demand response', policy: { id: 'critical-infrastructure' } },
      use: {
        windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '16:00', tz: 'UTC' }],
      },
    },
  });
  const writ = await scene.open('station', 'optimiser-station');
  const setPressure = govern(
    writ,
    contract(EXAMPLE, 'station', 'set_pressure'),
    ({ kilopascals }: { pump: string; kilopascals: number }) => writeFileSync(plant, String(kilopascals)),
  );
  const attempt = (what: string, kilopascals: number, expect: Expected, sees: string, pump = 'north') =>
    scene.attempt({
      what,
      at: 'station',
      call: () => setPressure({ pump, kilopascals }),
      expect,
      look: () => `${readFileSync(plant, 'utf8')} kPa`,
      sees,
    });

  scene.part('Two persons');
  const request = await attempt('set 500 kPa', 500, 'approval.required', '400 kPa');
  await scene.approve(request, 'ada', '--reason', 'demand falls');
  await scene.approve(request, 'ada', '--reason', 'I am sure');
  await attempt('with two signatures of one person', 500, 'approval.required', '400 kPa');
  await scene.refused('carol, on whose order it is', [
    'approval',
    'grant',
    request.receipt,
    '--key',
    'carol',
  ]);
  await scene.approve(request, 'bob', '--reason', 'agreed');
  await attempt('with two people’s', 500, 'permit', '500 kPa');
  const late = await attempt('set 550 kPa', 550, 'approval.required', '500 kPa');
  await scene.approve(late, 'ada');
  await scene.approve(late, 'bob');
  scene.later(11);
  await attempt('eleven minutes later, with two', 550, 'approval.expired', '500 kPa');
  const no = await attempt('set 690 kPa', 690, 'approval.required', '500 kPa');
  await scene.writ('approval', 'deny', no.receipt, '--key', 'bob', '--reason', 'valve 7 is being mended');
  await attempt('bob has said no', 690, 'approval.rejected', '500 kPa');

  scene.part('A range that nothing widens');
  await attempt('set 850 kPa, within the artifact', 850, 'policy.forbidden', '500 kPa');
  await attempt('set 950 kPa, beyond both', 950, 'scope.arguments_not_granted', '500 kPa');
  await attempt('another pump', 500, 'scope.arguments_not_granted', '500 kPa', 'south');

  scene.part('An emergency, and only dora is there');
  const emergency = await attempt('set 300 kPa: a pipe leaks', 300, 'approval.required', '500 kPa');
  await scene.refused('without a reason', [
    'approval',
    'grant',
    emergency.receipt,
    '--key',
    'dora',
    '--break-glass',
  ]);
  await scene.approve(emergency, 'dora', '--break-glass', '--reason', 'incident 17: leak at valve 7');
  await attempt('dora has broken the glass', 300, 'permit', '300 kPa');
  const open = await scene.writ('approval', 'list', '--review');
  if (!open.out.includes(emergency.receipt)) throw new Error('nobody would look at what dora did');
  const finding = ['--finding', 'justified, see incident 17'];
  await scene.refused('dora reviews herself', [
    'approval',
    'review',
    emergency.receipt,
    ...finding,
    '--key',
    'dora',
  ]);
  await scene.writ('approval', 'review', emergency.receipt, ...finding, '--key', 'ada');

  scene.part('The shift is over');
  scene.later(110);
  await attempt('set 400 kPa at 16:01', 400, 'scope.outside_window', '300 kPa');

  return scene.end();
}

if (import.meta.main) await playAlone(EXAMPLE, play);
