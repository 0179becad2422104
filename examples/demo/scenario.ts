import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Answer, GatewayClient } from '../support/gateway-client.ts';
import { PROGRAM } from '../support/program.ts';
import { filesystemServer, SERVER, type World } from './world.ts';

/** One call of the demo: what was asked, what came of it, and what the disk says. */
export interface Step {
  readonly part: string;
  readonly title: string;
  /** The seed condition a denial stands for. */
  readonly condition?: string;
  readonly expected: string;
  readonly answer: Answer;
  /** What was looked at on disk, and what was found. */
  readonly effect: string;
  /** Verdict and disk are as they must be. */
  readonly ok: boolean;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
}

const HOSTILE = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './hostile-gateway.ts' : './hostile-gateway.js', import.meta.url),
);

/** Runs the whole scenario, telling each step as it is done. */
export async function playScenario(world: World, told: (step: Step) => void): Promise<Step[]> {
  const stage = new Stage(world, told);
  await planner(stage);
  await reporter(stage);
  await changedServer(stage);
  await attackers(stage);
  return stage.steps;
}

/** `writ` as a person would type it. */
export function writ(...args: string[]): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, stdout }));
  });
}

class Stage {
  readonly world: World;
  readonly steps: Step[] = [];
  readonly #told: (step: Step) => void;
  part = '';

  constructor(world: World, told: (step: Step) => void) {
    this.world = world;
    this.#told = told;
  }

  path(...names: string[]): string {
    return join(this.world.workspace, ...names);
  }

  /** The gateway as a client's configuration names it. */
  connect(artifact: string, upstream: World['upstream'] = this.world.upstream): Promise<GatewayClient> {
    const { home } = this.world;
    return GatewayClient.connect(process.execPath, [
      PROGRAM,
      'mcp',
      ...['--home', home.folder, '--name', SERVER, '--agent', artifact, '--artifact', artifact],
      // Each gateway by itself: the demo leaves no process behind.
      ...['--daemon', 'never'],
      '--',
      upstream.command,
      ...upstream.args,
    ]);
  }

  record(step: Omit<Step, 'part' | 'ok'> & { readonly diskOk: boolean }): Answer {
    const { diskOk, ...rest } = step;
    const outcome = step.answer.verdict === 'permit' ? 'permit' : (step.answer.code ?? 'no code');
    const recorded = step.answer.receipt !== undefined;
    const told: Step = { ...rest, part: this.part, ok: diskOk && recorded && outcome === step.expected };
    this.steps.push(told);
    this.#told(told);
    return step.answer;
  }

  /** A read that must succeed with this text, or be denied with this code. */
  async read(client: GatewayClient, title: string, path: string, expected: string): Promise<Answer> {
    const answer = await client.call('read_text_file', { path });
    const same = expected === 'permit' && answer.text.includes(readFileSync(path, 'utf8').trim());
    return this.record({
      title,
      expected,
      answer,
      effect: expected === 'permit' ? 'content is the file’s' : 'nothing was read',
      diskOk: expected === 'permit' ? same : answer.verdict === 'deny',
    });
  }

  /** A write, and whether the file is on disk afterwards. */
  async write(
    client: GatewayClient,
    title: string,
    path: string,
    expected: string,
    options: { readonly condition?: string; readonly parent?: string } = {},
  ): Promise<Answer> {
    const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    const content = `${title}\n`;
    const answer = await client.call('write_file', { path, content }, options.parent);
    const after = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    const permitted = expected === 'permit';
    return this.record({
      title,
      expected,
      answer,
      effect: after === undefined ? 'no file' : after === before ? 'file untouched' : 'file written',
      diskOk: permitted ? after === content : after === before,
      ...(options.condition === undefined ? {} : { condition: options.condition }),
    });
  }
}

async function planner(stage: Stage): Promise<void> {
  stage.part = 'The planner works within its artifact';
  const client = await stage.connect('planner');
  try {
    await stage.read(client, 'read the plan', stage.path('notes', 'plan.md'), 'permit');
    await stage.read(client, 'read the notes', stage.path('notes', 'week-47.md'), 'permit');
    const listed = await client.call('list_directory', { path: stage.path('notes') });
    stage.record({
      title: 'list the notes',
      expected: 'permit',
      answer: listed,
      effect: 'both notes are listed',
      diskOk: listed.text.includes('plan.md') && listed.text.includes('week-47.md'),
    });
    const first = await stage.write(client, 'write the report', stage.path('reports', 'week.md'), 'permit');
    await stage.read(client, 'read it back', stage.path('reports', 'week.md'), 'permit');
    const denied = await stage.read(
      client,
      'read outside the workspace',
      '/etc/hostname',
      'scope.arguments_not_granted',
    );
    const moved = await client.call('move_file', {
      source: stage.path('reports', 'week.md'),
      destination: stage.path('reports', 'moved.md'),
    });
    stage.record({
      title: 'use a tool that was not granted',
      expected: 'scope.tool_not_granted',
      answer: moved,
      effect: existsSync(stage.path('reports', 'week.md')) ? 'file untouched' : 'file moved',
      diskOk: existsSync(stage.path('reports', 'week.md')) && !existsSync(stage.path('reports', 'moved.md')),
    });
    await stage.write(client, 'follow up on the report', stage.path('reports', 'next.md'), 'permit', {
      ...(first.receipt === undefined ? {} : { parent: first.receipt }),
    });
    stage.part = 'Policy and lineage hold whatever an artifact grants';
    await stage.write(
      client,
      'overwrite payroll',
      stage.path('payroll', 'november.csv'),
      'policy.forbidden',
      {
        condition: 'policy mismatch',
      },
    );
    await stage.write(
      client,
      'claim to follow from a denied call',
      stage.path('reports', 'lineage.md'),
      'lineage.parent_denied',
      {
        condition: 'lineage inconsistency',
        ...(denied.receipt === undefined ? {} : { parent: denied.receipt }),
      },
    );
    await stage.write(
      client,
      'claim a parent nobody knows',
      stage.path('reports', 'orphan.md'),
      'lineage.parent_unknown',
      {
        parent: '00000000-0000-7000-8000-000000000000',
      },
    );
  } finally {
    await client.close();
  }
}

async function reporter(stage: Stage): Promise<void> {
  stage.part = 'The reporter holds a part of it, handed on by the planner';
  const client = await stage.connect('reporter');
  try {
    await stage.read(client, 'read the notes', stage.path('notes', 'week-47.md'), 'permit');
    await stage.write(client, 'write a summary', stage.path('reports', 'summary.md'), 'permit');
    await stage.write(
      client,
      'change the plan',
      stage.path('notes', 'plan.md'),
      'scope.arguments_not_granted',
    );
    const revoked = await writ(
      'artifact',
      'revoke',
      ...[
        '--home',
        stage.world.home.folder,
        '--holder',
        'reporter',
        '--reason',
        'demo: the reporter is done',
        '--json',
      ],
    );
    if (revoked.code !== 0) throw new Error(`writ artifact revoke failed: ${revoked.stdout}`);
    await stage.write(
      client,
      'write after revocation',
      stage.path('reports', 'late.md'),
      'revocation.revoked',
      {
        condition: 'revoked authorization',
      },
    );
  } finally {
    await client.close();
  }
}

/** The same server with one line more: what a compromised dependency looks like. */
async function changedServer(stage: Stage): Promise<void> {
  stage.part = 'The server is not the one that was granted';
  const changed = join(stage.world.home.folder, '..', 'changed-server.mjs');
  writeFileSync(
    changed,
    `// One line was added to this server.\nawait import(${JSON.stringify(`file://${filesystemServer()}`)});\n`,
  );
  const { command, args } = stage.world.upstream;
  const client = await stage.connect('planner', { command, args: [changed, ...args.slice(1)] });
  try {
    await stage.write(
      client,
      'write through a changed server',
      stage.path('reports', 'changed.md'),
      'environment.mismatch',
      {
        condition: 'environmental integrity',
      },
    );
  } finally {
    await client.close();
  }
}

/** Everything on the caller's side is in the attacker's hand; the enforcer is not. */
async function attackers(stage: Stage): Promise<void> {
  stage.part = 'Attackers who control what is presented';
  const { home, upstream } = stage.world;
  const client = await GatewayClient.connect(process.execPath, [
    HOSTILE,
    home.folder,
    upstream.command,
    ...upstream.args,
  ]);
  try {
    await stage.write(
      client,
      'present nothing',
      stage.path('reports', 'without-artifact.txt'),
      'artifact.missing',
      {
        condition: 'missing authorization',
      },
    );
    await stage.write(
      client,
      'extend the artifact by a year',
      stage.path('reports', 'forged-signature.txt'),
      'artifact.signature_invalid',
      { condition: 'invalid signature' },
    );
    await stage.write(
      client,
      'present a stolen artifact',
      stage.path('reports', 'stolen-artifact.txt'),
      'identity.proof_invalid',
      { condition: 'runtime identity failure' },
    );
    const replayed = stage.path('reports', 'replayed.txt');
    const content = 'replay a recorded call\n';
    const once = await client.call('write_file', { path: replayed, content });
    stage.record({
      title: 'make a call and record it',
      expected: 'permit',
      answer: once,
      effect: existsSync(replayed) ? 'file written' : 'no file',
      diskOk: existsSync(replayed),
    });
    rmSync(replayed, { force: true });
    const twice = await client.call('write_file', { path: replayed, content });
    stage.record({
      title: 'replay the recorded call',
      condition: 'replay',
      expected: 'replay.detected',
      answer: twice,
      effect: existsSync(replayed) ? 'file written again' : 'no file',
      diskOk: !existsSync(replayed),
    });
  } finally {
    await client.close();
  }
}
