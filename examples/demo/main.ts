import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import colors from 'picocolors';
import { type CommandResult, playScenario, type Step, writ } from './scenario.ts';
import { makeWorld, SERVER, type World } from './world.ts';

export interface DemoOptions {
  /** Folder that the demo makes anew. */
  readonly folder: string;
  readonly write: (text: string) => void;
  readonly color: boolean;
}

export interface DemoReport {
  readonly ok: boolean;
  readonly world: World;
  readonly steps: readonly Step[];
  readonly logVerified: boolean;
  readonly bundleVerified: boolean;
}

/** Plays the demo: every call through the real gateway to the real server, and a look at the disk after each. */
export async function runDemo({ folder, write, color }: DemoOptions): Promise<DemoReport> {
  const paint = colors.createColors(color);
  const line = (text = '') => write(`${text}\n`);
  line(paint.bold('Writ demo: a real MCP server, governed'));
  line();
  const world = await makeWorld(folder);
  line(`Trust domain   ${paint.cyan(world.home.domain)} in ${relative(process.cwd(), world.home.folder)}`);
  line(
    `Server         @modelcontextprotocol/server-filesystem, unmodified, on ${relative(process.cwd(), world.workspace)}`,
  );
  line(
    `Planner        holds an artifact for ${world.grantedCount} of its ${world.toolCount} tools, below that folder only`,
  );
  line('Reporter       holds a narrower one, derived from the planner’s');

  let part = '';
  let number = 0;
  const steps = await playScenario(world, (step) => {
    if (step.part !== part) {
      part = step.part;
      line();
      line(paint.bold(part));
    }
    number += 1;
    line(formatStep(number, step, paint));
  });

  const logs = await writ('log', 'verify', '--home', world.home.folder, '--all', '--json');
  const bundle = await bundleAndVerify(world, steps, join(folder, 'bundle.json'));
  const report: DemoReport = {
    ok: steps.every(({ ok }) => ok) && logs.code === 0 && bundle.code === 0,
    world,
    steps,
    logVerified: logs.code === 0,
    bundleVerified: bundle.code === 0,
  };
  printEnd(report, folder, line, paint);
  return report;
}

type Paint = ReturnType<typeof colors.createColors>;

function formatStep(number: number, { title, answer, condition, effect, ok }: Step, paint: Paint): string {
  const verdict = answer.verdict === 'permit' ? paint.green('permit') : paint.red('deny  ');
  const code = answer.verdict === 'permit' ? '' : (answer.code ?? '?');
  const mark = ok ? paint.green('✓') : paint.red('✗ UNEXPECTED');
  const receipt = paint.dim(answer.receipt ?? '(no receipt)');
  const label = condition === undefined ? '' : paint.yellow(` [${condition}]`);
  return `${String(number).padStart(3)}  ${verdict}  ${code.padEnd(28)} ${title}${label}\n     ${receipt}  ${mark} ${effect}`;
}

/** Packs the evidence of one permitted write and verifies it with nothing but the log's public key. */
async function bundleAndVerify(world: World, steps: readonly Step[], file: string): Promise<CommandResult> {
  const permitted = steps.find(({ title }) => title === 'write the report')?.answer.receipt ?? '';
  const bundle = await writ('receipt', 'bundle', permitted, '--home', world.home.folder, '--json');
  if (bundle.code !== 0) return bundle;
  writeFileSync(file, bundle.stdout);
  const key = join(world.home.executionLogFolder(SERVER), 'log.vkey');
  return writ('receipt', 'verify', file, '--log-key', key, '--json');
}

function printEnd(report: DemoReport, folder: string, line: (text?: string) => void, paint: Paint): void {
  const { steps, world, ok } = report;
  const denials = steps.filter(({ answer }) => answer.verdict === 'deny').length;
  const mark = (good: boolean) => (good ? paint.green('✓') : paint.red('✗'));
  const home = relative(process.cwd(), world.home.folder);
  const key = relative(process.cwd(), join(world.home.executionLogFolder(SERVER), 'log.vkey'));
  const permitted = steps.find(({ answer }) => answer.verdict === 'permit')?.answer.receipt ?? 'ID';
  line();
  line(
    `${mark(ok)} ${steps.length} calls: ${steps.length - denials} permitted, ${denials} denied, each with a receipt`,
  );
  line(`${mark(report.logVerified)} execution and governance logs verify against their signed checkpoints`);
  line(
    `${mark(report.bundleVerified)} the evidence bundle of one write verifies offline with the log’s public key alone`,
  );
  line();
  line('Look closer:');
  line(`  node bin/writ.js log show --home ${home}`);
  line(`  node bin/writ.js receipt show ${permitted} --home ${home}`);
  line(
    `  node bin/writ.js receipt verify ${relative(process.cwd(), join(folder, 'bundle.json'))} --log-key ${key}`,
  );
  line(`  node bin/writ.js lineage show --home ${home}`);
  line('Put it in front of your own server:');
  line('  node bin/writ.js init --server NAME -- COMMAND ARGS…');
}
