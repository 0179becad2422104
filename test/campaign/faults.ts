/**
 * Plays the fault matrix whole: `node test/campaign/faults.ts [--jobs 2] [--only CALL]`. Every system call that the log
 * writer and the publisher make on their files, in a run of 305 appends, fails once, fails once after having been done,
 * and is once the last thing their process does; each in a run of its own. What is left must hold everything
 * acknowledged, verify, and be resumed. Prints a table in Markdown; exit code 1 where anything was violated or left out.
 */
import {
  APPENDS,
  FAULT_MATRIX,
  type FaultRun,
  faultsOf,
  recordTargets,
  runFault,
} from '../fault/fault-matrix.ts';
import { findInjectors, type Target } from '../fault/injectors.ts';
import { campaignOptions } from './options.ts';

const ATTEMPTS = 3;
const { jobs, only } = campaignOptions();
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const injectors = findInjectors();
if (injectors === undefined) process.exit(1);

const startedMs = performance.now();
const recording = await recordTargets(injectors);
const isWanted = ({ call }: Target) => only === undefined || call === only;
const targets = recording.targets.filter(isWanted);
const varying = recording.varying.filter(isWanted);
const work = targets.flatMap((target) => faultsOf(target).map((fault) => ({ target, fault })));
say(`${APPENDS} appends, ${targets.length} system calls, ${work.length} runs`);
for (const { call, path, number } of varying) say(`not in every run: ${call} ${path} #${number}`);

const runs: FaultRun[] = [];
let missed = 0;
let next = 0;
const playOn = async (): Promise<void> => {
  for (let each = work[next]; each !== undefined; each = work[next]) {
    next += 1;
    const { target, fault } = each;
    const what = `${fault} ${target.call} ${target.path} #${target.number}`;
    let run: FaultRun | undefined;
    for (let attempt = 0; attempt < ATTEMPTS && run?.reached !== true; attempt += 1) {
      run = await runFault(injectors, target, fault);
      for (const violation of run?.violations ?? []) say(`VIOLATION ${what}: ${violation}`);
      if (run !== undefined && run.violations.length > 0) break;
    }
    if (run === undefined || (!run.reached && run.violations.length === 0)) {
      missed += 1;
      say(`NOT REACHED ${what}`);
    }
    if (run !== undefined) runs.push(run);
    if (next % 100 === 0)
      say(`${next} of ${work.length} runs, ${Math.round((performance.now() - startedMs) / 1000)} s`);
  }
};
await Promise.all(Array.from({ length: jobs }, playOn));

say('');
say(
  '| system call | made | fails: refused / absorbed | fails but persisted: refused / absorbed | killed | violations |',
);
say('| --- | --- | --- | --- | --- | --- |');
for (const call of Object.keys(FAULT_MATRIX)) {
  const made = targets.filter((target) => target.call === call).length;
  if (made === 0) continue;
  const mine = runs.filter(({ target, reached }) => target.call === call && reached);
  const count = (fault: string, ending: string) =>
    mine.filter((run) => run.fault === fault && run.ending === ending).length;
  const pair = (fault: string) =>
    mine.some((run) => run.fault === fault)
      ? `${count(fault, 'refused')} / ${count(fault, 'absorbed')}`
      : '–';
  const killed = mine.some(({ fault }) => fault === 'kill') ? `${count('kill', 'killed')}` : '–';
  const violations = runs.filter((run) => run.target.call === call && run.violations.length > 0).length;
  say(`| \`${call}\` | ${made} | ${pair('fails')} | ${pair('persists')} | ${killed} | **${violations}** |`);
}
say('');
const violations = runs.flatMap((run) => run.violations);
say(
  JSON.stringify({
    appends: APPENDS,
    calls: targets.length,
    notInEveryRun: varying.length,
    runs: runs.length,
    byStrace: runs.filter(({ by, reached }) => by === 'strace' && reached).length,
    preloaded: runs.filter(({ by, reached }) => by === 'preloaded' && reached).length,
    acknowledged: runs.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    notReached: missed,
    violations: violations.length,
    seconds: Math.round((performance.now() - startedMs) / 1000),
  }),
);
process.exitCode = violations.length === 0 && missed === 0 ? 0 : 1;
