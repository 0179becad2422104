import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import colors from 'picocolors';
import { type DerivedGrant, deriveToken, type RootGrant } from '../../src/artifact/index.ts';
import { isDenial, type ReasonCode } from '../../src/denial/index.ts';
import {
  type Clock,
  createDomain,
  enrollAgent,
  type Home,
  issueArtifact,
  systemClock,
} from '../../src/governor/index.ts';
import { openWrit, type Writ, WritDenied } from '../../src/index.ts';
import { SigningKey, writeKeyFile } from '../../src/key/index.ts';
import { type DecisionReceipt, parseDecisionReceipt } from '../../src/receipt/index.ts';
import { openSqliteLogReader } from '../../src/storage/index.ts';
import { commandLine, type Ran } from './command-line.ts';
import { freshFolder } from './fresh-folder.ts';
import { GatewayClient } from './gateway-client.ts';
import { must } from './must.ts';
import { PROGRAM } from './program.ts';

export interface PlayOptions {
  /** Made anew, with everything the story needs in it. */
  readonly folder: string;
  readonly write: (text: string) => void;
}

/** `stopped: …`: it was permitted, ran, and was ended when it no longer stood. */
export type Expected = 'permit' | ReasonCode | `stopped: ${ReasonCode}`;

/** What is tried, and what must come of it. */
export interface Attempt {
  readonly what: string;
  /** The enforcement point, by its name: there the decision is on record. */
  readonly at: string;
  readonly call: () => Promise<unknown>;
  readonly expect: Expected;
  /** Looks at the world, afterwards. */
  readonly look: () => string;
  /** What it must find. */
  readonly sees: string;
}

/** What was tried, and what came of it. */
export interface Step {
  readonly what: string;
  readonly at: string;
  readonly expect: Expected;
  /** The verdict or the code, as the log has it. */
  readonly came: string;
  /** Execution id: the receipt's. */
  readonly receipt: string;
  readonly seen: string;
  /** The caller was told what the log says, that is what was expected, and the world looks as it must. */
  readonly ok: boolean;
}

export interface Report {
  readonly home: Home;
  readonly steps: readonly Step[];
  /** Every log, against its signed checkpoints. */
  readonly logsVerified: boolean;
  /** One execution's evidence bundle, with nothing but the log's public key. */
  readonly bundleVerified: boolean;
  readonly ok: boolean;
}

const MARKER = 'this-folder-is-made-by-a-writ-example';
const SSH_KEYGEN = 'ssh-keygen';

/**
 * The stage of an example: a trust domain of its own, people with SSH keys, agents with artifacts, and a record of what was
 * tried. Nothing in it is pretended: the policy is published and the approvals are signed by `writ`'s own commands, decisions are
 * made by the governor, and what is told of them is read back from the log.
 */
export class Scenario {
  readonly home: Home;
  /** Where the story's own things are. */
  readonly folder: string;
  readonly clock: Clock & { advance(seconds: number): void };
  readonly #write: (text: string) => void;
  readonly #steps: Step[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  readonly #agents = new Map<string, SigningKey>();
  readonly #chains = new Map<string, readonly string[]>();

  private constructor(home: Home, folder: string, clock: Scenario['clock'], write: (text: string) => void) {
    this.home = home;
    this.folder = folder;
    this.clock = clock;
    this.#write = write;
  }

  /**
   * @param story.example folder of the example: its `policy/` is published.
   * @param story.at the time it plays at, which then stands still; default: now, and it goes on.
   */
  static async begin(
    story: { readonly example: string; readonly title: string; readonly at?: string },
    { folder, write }: PlayOptions,
  ): Promise<Scenario> {
    freshFolder(folder, MARKER);
    const world = join(folder, 'world');
    mkdirSync(world);
    const clock = story.at === undefined ? runningClock() : frozenClock(Date.parse(story.at));
    const name = basename(story.example);
    const home = must(
      await createDomain(join(folder, 'domain'), {
        name: `${name}.example`,
        actor: 'writ-example',
        atSeconds: Math.floor(clock.wallMs() / 1000),
      }),
    );
    const scenario = new Scenario(home, world, clock, write);
    write(`${colors.bold(story.title)}\n`);
    write(`Trust domain ${home.domain}; look around with WRIT_HOME=${home.folder}\n`);
    const published = await scenario.#run(['policy', 'publish', join(story.example, 'policy'), '--id', name]);
    if (published.code !== 0) throw new Error(`the policy cannot be published: ${published.err}`);
    return scenario;
  }

  get nowSeconds(): number {
    return Math.floor(this.clock.wallMs() / 1000);
  }

  /** A new part of the story. */
  part(title: string): void {
    this.#write(`\n${colors.bold(title)}\n`);
  }

  /** Something that happens outside of Writ. */
  tell(text: string): void {
    this.#write(`  ${colors.dim(text)}\n`);
  }

  /** Time passes. */
  later(minutes: number): void {
    this.clock.advance(minutes * 60);
    this.tell(`${minutes} minutes later: ${new Date(this.clock.wallMs()).toISOString().slice(11, 16)}`);
  }

  /** An agent with a key of its own, enrolled. */
  async agent(name: string): Promise<SigningKey> {
    const key = SigningKey.generate();
    must(writeKeyFile(this.home.agentKeyFile(name), key));
    must(
      await enrollAgent(this.home, {
        subject: this.home.agent(name),
        key: key.publicKey,
        actor: 'writ-example',
        atSeconds: this.nowSeconds,
      }),
    );
    this.#agents.set(name, key);
    return key;
  }

  /** Somebody who may approve, with an SSH key of their own. */
  async approver(name: string, ...roles: readonly string[]): Promise<void> {
    execFileSync(SSH_KEYGEN, [
      '-q',
      '-t',
      'ed25519',
      '-N',
      '',
      '-C',
      name,
      '-f',
      join(this.folder, '..', name),
    ]);
    await this.writ(
      ...['approval', 'enroll', name, '--key', `${name}.pub`],
      ...roles.flatMap((role) => ['--role', role]),
    );
  }

  /** Issues an artifact to an agent; it is stored under a name. */
  async issue(
    name: string,
    grant: Omit<RootGrant, 'issuer' | 'holder' | 'audiences' | 'iatSeconds' | 'expSeconds'> & {
      readonly agent: string;
      /** Enforcement points it is for. */
      readonly points: readonly string[];
      readonly ttlSeconds?: number;
    },
  ): Promise<void> {
    const { agent, points, ttlSeconds = 8 * 3600, writ, ...rest } = grant;
    const initiator = { id: `spiffe://${this.home.domain}/user/you`, kind: 'human' } as const;
    const { compact } = must(
      await issueArtifact(
        this.home,
        {
          ...rest,
          holder: this.keyOf(agent).publicKey,
          audiences: points.map((point) => this.home.audience(point)),
          iatSeconds: this.nowSeconds,
          expSeconds: this.nowSeconds + ttlSeconds,
          writ: { initiator, ...writ },
        },
        { actor: initiator.id, atSeconds: this.nowSeconds },
      ),
    );
    this.store(name, [compact]);
  }

  /** Hands part of a stored artifact on: signed by its holder alone, without asking the issuer. */
  derive(
    name: string,
    grant: Omit<DerivedGrant, 'parent' | 'signer' | 'holder' | 'iatSeconds'> & {
      readonly from: string;
      readonly by: string;
      readonly agent: string;
    },
  ): ReturnType<typeof deriveToken> {
    const { from, by, agent, ...rest } = grant;
    const chain = this.chainOf(from);
    const token = deriveToken({
      ...rest,
      parent: chain,
      signer: this.keyOf(by),
      holder: this.keyOf(agent).publicKey,
      iatSeconds: this.nowSeconds,
    });
    if (!isDenial(token)) this.store(name, [...chain, token]);
    return token;
  }

  store(name: string, chain: readonly string[]): void {
    const path = this.home.artifactFile(name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${JSON.stringify({ aat_chain: chain }, undefined, 2)}\n`, { mode: 0o600 });
    this.#chains.set(name, chain);
  }

  chainOf(name: string): readonly string[] {
    const chain = this.#chains.get(name);
    if (chain === undefined) throw new TypeError(`no artifact ${name}`);
    return chain;
  }

  keyOf(agent: string): SigningKey {
    const key = this.#agents.get(agent);
    if (key === undefined) throw new TypeError(`no agent ${agent}`);
    return key;
  }

  /** An enforcement point in this process, closed when the story ends. It leaves no daemon behind. */
  async open(name: string, artifact: string): Promise<Writ> {
    const writ = await openWrit({
      name,
      home: this.home.folder,
      artifact: this.home.artifactFile(artifact),
      daemon: 'never',
      clock: this.clock,
    });
    this.#closing.push(() => writ.close());
    return writ;
  }

  /** An MCP client in front of `writ mcp` in front of a server of the example, each a process of its own. */
  async gateway(
    name: string,
    artifact: string,
    agent: string,
    server: readonly string[],
  ): Promise<GatewayClient> {
    const client = await GatewayClient.connect(process.execPath, [
      ...[PROGRAM, 'mcp', '--home', this.home.folder, '--name', name, '--daemon', 'never'],
      ...['--agent', agent, '--artifact', artifact, '--', process.execPath, ...server],
    ]);
    this.#closing.push(() => client.close());
    return client;
  }

  /** `writ …`, as a person would type it. Ends the story where it fails. */
  async writ(...argv: readonly string[]): Promise<Ran> {
    this.tell(`$ writ ${argv.map(quoted).join(' ')}`);
    const ran = await this.#run(argv);
    if (ran.code !== 0) throw new Error(`writ ${argv.join(' ')}: ${ran.err}`);
    return ran;
  }

  /** Somebody approves a request, with their SSH key. */
  approve(request: Step, approver: string, ...more: readonly string[]): Promise<Ran> {
    return this.writ('approval', 'grant', request.receipt, '--key', approver, ...more);
  }

  /** A command line that may be denied: then with its code. */
  async tryWrit(...argv: readonly string[]): Promise<{ readonly code: string } | undefined> {
    const { code, out, err } = await this.#run(['--json', ...argv]);
    if (code === 0) return undefined;
    const [, denied] = /"code":\s*"([a-z_.]+)"/.exec(`${out}${err}`) ?? [];
    return { code: denied ?? `exit code ${code}: ${err}` };
  }

  /** A command line that must not succeed. */
  async refused(what: string, argv: readonly string[]): Promise<void> {
    this.tell(`$ writ ${argv.map(quoted).join(' ')}`);
    const { code, err } = await this.#run(argv);
    if (code === 0) throw new Error(`nobody refused: ${what}`);
    this.tell(`  refused: ${what} (${err.trim().split('\n')[0] ?? ''})`);
  }

  /** Tries something, and tells what came of it: by the caller, by the log, and by the world. */
  async attempt({ what, at, call, expect, look, sees }: Attempt): Promise<Step> {
    const told = await toldOf(call);
    const decision = this.#lastDecision(at);
    const isStopped = decision.verdict === 'permit' && told.startsWith('stopped: ');
    const came = isStopped ? told : decision.verdict === 'permit' ? 'permit' : (decision.code ?? 'no code');
    const seen = look();
    const ok = told === came && came === expect && seen === sees;
    const step: Step = { what, at, expect, came, receipt: decision.id, seen, ok };
    this.#steps.push(step);
    const verdict = came === 'permit' ? colors.green('permit') : colors.red('deny  ');
    this.#write(`  ${verdict}  ${(came === 'permit' ? '' : came).padEnd(28)} ${what}\n`);
    this.#write(`          ${' '.repeat(28)} ${colors.dim(`→ ${seen}`)}\n`);
    if (!ok) this.#write(`${colors.red('UNEXPECTED')}: told ${told}, not ${expect}, or not: ${sees}\n`);
    return step;
  }

  /** Verifies every log, and the evidence of one execution as an outsider would: with the log's public key alone. */
  async end(): Promise<Report> {
    for (const close of this.#closing.splice(0)) await close();
    this.part('Afterwards');
    const logs = await this.writ('log', 'verify', '--all');
    const shown = this.#steps.findLast(({ came }) => came === 'permit');
    if (shown === undefined) throw new TypeError('a story in which nothing is permitted has no evidence');
    await this.writ('receipt', 'bundle', shown.receipt, '--out', 'evidence.json');
    const key = join(this.home.executionLogFolder(shown.at), 'log.vkey');
    const bundle = await this.writ('receipt', 'verify', 'evidence.json', '--log-key', key);
    const steps = [...this.#steps];
    const ok = steps.every((step) => step.ok);
    const denied = steps.filter(({ came }) => came !== 'permit').length;
    const mark = ok ? colors.green('✓') : colors.red('✗');
    this.#write(
      `${mark} ${steps.length} attempts, ${denied} denied, each with a receipt; logs and evidence verify\n`,
    );
    const logsVerified = logs.code === 0;
    const bundleVerified = bundle.code === 0;
    return { home: this.home, steps, logsVerified, bundleVerified, ok: ok && logsVerified && bundleVerified };
  }

  #run(argv: readonly string[]): Promise<Ran> {
    const options = { cwd: join(this.folder, '..'), clockMs: () => this.clock.wallMs() };
    return commandLine(options, ['--home', this.home.folder, ...argv]);
  }

  #lastDecision(at: string): DecisionReceipt {
    const reader = openSqliteLogReader(this.home.executionLogFolder(at));
    try {
      for (let index = reader.head().size - 1; index >= 0; index -= 1) {
        const decision = reader.read(index, 1).map(parseDecisionReceipt)[0];
        if (decision !== undefined && !isDenial(decision)) return decision;
      }
    } finally {
      reader.close();
    }
    throw new Error(`the log of ${at} holds no decision`);
  }
}

/** What the caller is told: `permit`, or the code of the denial. */
async function toldOf(call: () => Promise<unknown>): Promise<string> {
  try {
    const answer = await call();
    const isDenied = typeof answer === 'object' && answer !== null && 'code' in answer;
    return isDenied ? String(answer.code) : 'permit';
  } catch (error) {
    if (error instanceof WritDenied) return error.wasStarted ? `stopped: ${error.code}` : error.code;
    throw error;
  }
}

function runningClock(): Scenario['clock'] {
  return {
    ...systemClock,
    advance() {
      throw new TypeError('this story plays in real time');
    },
  };
}

function frozenClock(startMs: number): Scenario['clock'] {
  let passedMs = 0;
  return {
    wallMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    advance(seconds) {
      passedMs += seconds * 1000;
    },
  };
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument}'`;
}
