// A deployer that is a program applies plans. In production it applies exactly the plan that somebody on duty has read: not another
// one, not this one changed by a byte, and not one that was put in its place at the last moment.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { playAlone } from '../support/play-alone.ts';
import { type Expected, type PlayOptions, type Report, Scenario } from '../support/scenario.ts';
import { governApply } from './applier.ts';

const EXAMPLE = import.meta.dirname;

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin({ example: EXAMPLE, title: 'Infrastructure operations' }, options);
  const stateFile = (workspace: string) => join(scene.folder, `${workspace}.state`);
  const resources = (workspace: string) => {
    const file = stateFile(workspace);
    const state = existsSync(file) ? Object.keys(JSON.parse(readFileSync(file, 'utf8'))) : [];
    return `${workspace}: ${state.join(', ') || 'nothing'}`;
  };
  const planFile = join(scene.folder, 'change.plan');
  const plan = (create: Record<string, string>, destroy: readonly string[] = []) => {
    writeFileSync(planFile, JSON.stringify({ create, destroy }));
    const names = Object.keys(create);
    const created = names.length > 3 ? `${names.length} resources` : names.join(', ') || 'nothing';
    scene.tell(`change.plan: create ${created}; destroy ${destroy.join(', ') || 'nothing'}`);
  };

  await scene.approver('ada', 'sre');
  await scene.agent('deployer');
  await scene.issue('deployer-infra', {
    agent: 'deployer',
    points: ['infra'],
    tools: {
      'sdk://infra/apply_plan': {
        workspace: { constraint_type: 'exact', value: 'production' },
        digest: { constraint_type: 'string_pattern', pattern: 'sha256:*' },
        creates: { constraint_type: 'range', min: 0, max: 20 },
        destroys: { constraint_type: 'range', min: 0 },
      },
    },
    writ: {
      governance: { purpose: 'web tier', reference: 'CHG-7', policy: { id: 'infrastructure-operations' } },
    },
  });
  const apply = governApply(await scene.open('infra', 'deployer-infra'), stateFile);
  const attempt = (
    what: string,
    expect: Expected,
    sees: string,
    call = () => apply('production', planFile),
  ) =>
    scene.attempt({
      what,
      at: 'infra',
      call,
      expect,
      look: () => resources('production'),
      sees: `production: ${sees}`,
    });

  scene.part('A plan runs once somebody has read it');
  plan({ web: '2 machines' });
  const request = await attempt('apply the plan', 'approval.required', 'nothing');
  await scene.approve(request, 'ada', '--reason', 'read it');

  scene.part('What was read is what runs');
  plan({ web: '2 machines', backdoor: 'open to the world' });
  await attempt('the file was changed after it was approved', 'approval.required', 'nothing');
  plan({ database: 'empty' });
  await attempt('another plan', 'approval.required', 'nothing');
  plan({ web: '2 machines' });
  await attempt('the plan that was approved, while its file is swapped', 'permit', 'web', () => {
    const applying = apply('production', planFile);
    plan({ backdoor: 'open to the world' });
    return applying;
  });
  plan({ web: '2 machines' });
  await attempt('the same plan once more: its approval is spent', 'approval.required', 'web');

  scene.part('Limits that no approval moves');
  plan({}, ['web']);
  await attempt('destroy the web tier', 'policy.forbidden', 'web');
  plan(Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`machine-${index}`, 'large'])));
  await attempt('create 21 machines', 'scope.arguments_not_granted', 'web');
  plan({ web: '2 machines' });
  await attempt(
    'apply it to staging, which is not this artifact’s',
    'scope.arguments_not_granted',
    'web',
    () => apply('staging', planFile),
  );

  return scene.end();
}

if (import.meta.main) await playAlone(EXAMPLE, play);
