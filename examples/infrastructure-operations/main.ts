// A deployer that is a program applies plans by terraform, confined. It applies exactly the plan that somebody on duty has read: not another
// one, not this one changed by a byte, not one that was put in its place at the last moment. Needs bubblewrap (`writ doctor` says so).

import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { playAlone } from '../support/play-alone.ts';
import { type Expected, type PlayOptions, type Report, Scenario, type Step } from '../support/scenario.ts';

const EXAMPLE = import.meta.dirname;
const APPLY = ['apply', '--input=false', '/dev/stdin'];

/** Ways by which terraform does something else than applying the plan that was read. */
export const WAYS_OUT: Readonly<Record<string, readonly string[]>> = {
  'another command': ['destroy', '--input=false', '/dev/stdin'],
  'a shell of expressions': ['console'],
  'a folder of somebody else’s configuration': ['-chdir=/tmp', ...APPLY],
  'no plan: whatever the configuration says by now': ['apply', '--input=false', '--auto-approve'],
  'destroying by a flag': ['apply', '--input=false', '--destroy', '/dev/stdin'],
  'a plan in a file': ['apply', '--input=false', 'change.plan'],
  'a state somewhere else': ['apply', '--input=false', '--state=/etc/passwd', '/dev/stdin'],
  'a copy of the state somewhere else': ['apply', '--input=false', '--backup=/etc/cron.d/x', '/dev/stdin'],
  'values from a file': ['apply', '--input=false', '--var-file=/etc/shadow', '/dev/stdin'],
  'a value': ['apply', '--input=false', '--var=command=sh', '/dev/stdin'],
  'a flag with one dash': ['apply', '-input=false', '/dev/stdin'],
  'a flag that asks': ['apply', '--input=true', '/dev/stdin'],
  'a flag twice': ['apply', '--input=false', '--input=false', '/dev/stdin'],
  'a flag after the plan': [...APPLY, '--destroy'],
  'two plans': [...APPLY, '/dev/stdin'],
};

export async function play(options: PlayOptions): Promise<Report> {
  const scene = await Scenario.begin({ example: EXAMPLE, title: 'Infrastructure operations' }, options);
  // Where Writ is root, programs run as an account that owns nothing: it has to be let in, from the root of the disk on.
  const machine = realpathSync(mkdtempSync(join(tmpdir(), 'writ-infrastructure-')));
  chmodSync(machine, 0o755);
  const [production, staging] = [join(machine, 'production'), join(machine, 'staging')];
  for (const workspace of [production, staging]) {
    mkdirSync(workspace);
    chmodSync(workspace, 0o777);
  }
  const resources = (workspace: string): string => {
    const file = join(workspace, 'state');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').join(', ') : 'nothing';
  };
  const planFile = join(scene.folder, '..', 'change.plan');
  const plan = (...lines: readonly string[]): string => {
    const text = `${lines.join('\n')}\n`;
    writeFileSync(planFile, text);
    scene.tell(`change.plan: ${lines.join('; ')}`);
    return `sha256:${createHash('sha256').update(text).digest('hex')}`;
  };

  await scene.approver('ada', 'sre');
  await scene.agent('deployer');
  cpSync(join(EXAMPLE, 'policy'), join(scene.home.folder, 'policy'), { recursive: true });
  cpSync(join(EXAMPLE, 'apply-argv.json'), join(scene.folder, '..', 'apply-argv.json'));
  const adopt = (digest: string): Promise<unknown> =>
    scene.writ(
      ...['exec', 'adopt', 'terraform', '--agent', 'deployer', '--purpose', 'CHG-7', '--stdin', digest],
      ...['--argv', 'apply-argv.json', '--write', production, '--', join(EXAMPLE, 'stand-in.sh')],
    );

  /** `writ exec -- terraform … < change.plan`, in production. */
  const attempt = (
    what: string,
    expect: Expected,
    sees: string,
    { argv = APPLY, env = [], meanwhile }: Call = {},
  ): Promise<Step> =>
    scene.attempt({
      what,
      at: 'exec-terraform',
      call: () =>
        scene.tryWrit(
          [
            ...['exec', '--agent', 'deployer', '--daemon', 'never', '--cwd', production],
            ...[...env.flatMap((variable) => ['--env', variable]), '--', 'terraform', ...argv],
          ],
          read(planFile, meanwhile),
        ),
      expect,
      look: () => `production: ${resources(production)}; staging: ${resources(staging)}`,
      sees: `production: ${sees}; staging: nothing`,
    });

  scene.part('A plan runs once somebody has read it');
  await adopt('any');
  plan('create web 2 machines');
  const request = await attempt('apply the plan', 'approval.required', 'nothing');
  await scene.approve(request, 'ada', '--reason', 'read it');

  scene.part('What was read is what runs');
  plan('create web 2 machines', 'create backdoor open to the world');
  await attempt('the file was changed after it was approved', 'approval.required', 'nothing');
  plan('create web 2 machines');
  await attempt('the plan that was approved, while its file is swapped', 'permit', 'web: 2 machines', {
    meanwhile: () => plan('create backdoor open to the world'),
  });
  plan('create web 2 machines');
  await attempt('the same plan once more: its approval is spent', 'approval.required', 'web: 2 machines');

  scene.part('An artifact for one plan alone, which was read as well');
  const digest = plan('create database empty', `run echo backdoor: open > ${staging}/state`);
  await adopt(digest);
  const second = await attempt('apply it', 'approval.required', 'web: 2 machines');
  await scene.approve(second, 'ada', '--reason', 'overlooked what it runs');
  plan('create database empty', 'destroy web');
  await attempt('another plan, put in its place', 'scope.arguments_not_granted', 'web: 2 machines');
  plan('create database empty', `run echo backdoor: open > ${staging}/state`);
  const beyond = 'scope.arguments_not_granted';
  await attempt('the plan by its name', beyond, 'web: 2 machines', {
    argv: ['apply', '--input=false', planFile],
  });
  await attempt('destroy all of it', beyond, 'web: 2 machines', {
    argv: ['destroy', '--input=false', '/dev/stdin'],
  });
  await attempt('the same by a variable', beyond, 'web: 2 machines', {
    env: ['TF_CLI_ARGS_apply=-destroy'],
  });
  await attempt(
    'what was read: it runs, and what it starts touches production alone',
    'permit',
    'web: 2 machines, database: empty',
  );

  const report = await scene.end();
  rmSync(machine, { recursive: true });
  return report;
}

interface Call {
  readonly argv?: readonly string[];
  readonly env?: readonly string[];
  /** Done when the plan was read, and nothing is decided yet. */
  readonly meanwhile?: () => void;
}

async function* read(file: string, meanwhile?: () => void): AsyncGenerator<Uint8Array> {
  yield readFileSync(file);
  meanwhile?.();
}

if (import.meta.main) await playAlone(EXAMPLE, play);
