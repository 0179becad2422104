import { join, resolve } from 'node:path';
import { createPresenter, type Presenter, readToken } from '../../artifact/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import {
  type Component,
  keepDigests,
  measureEnforcer,
  measureUpstream,
  type OnRead,
  recallDigests,
} from '../../environment/index.ts';
import {
  artifactPath,
  chooseGovernor,
  chooseWorkload,
  type DaemonUse,
  ENDPOINT_VARIABLE,
  findHolderKey,
  findHomeFolder,
  type GovernorOptions,
  type Home,
  IMAGE_VARIABLE,
  isLocalName,
  localAgents,
  type MeasuredEnvironment,
  measureEnvironment,
  openHome,
  readArtifactFile,
  type ShownWorkload,
  type WorkloadFrom,
} from '../../governor/index.ts';
import { Writ } from './writ.ts';
import { WritDenied } from './writ-denied.ts';

export interface WritOptions
  extends Pick<GovernorOptions, 'clock' | 'maxStalenessSeconds' | 'maxLineageDepth' | 'lockTimeoutMs'> {
  /** Name of the program: of its audience and execution log, and in its tool identifiers. */
  readonly name: string;
  /** The trust domain's folder. Default: the nearest `.writ` at or above the working directory, else `WRIT_HOME`. */
  readonly home?: string;
  /** What is presented: a stored artifact's name, or a file. Default: `<agent>-<name>`. */
  readonly artifact?: string;
  /** The agent that calls, in the default of `artifact`. Default: the domain's only agent, else `agent`. */
  readonly agent?: string;
  /**
   * Who decides. `found` (default): the domain's daemon (`writ up`, or one that a gateway started) where one runs when this
   * is called, else this process; a library leaves no process behind unasked. `auto`: the daemon, started in the background
   * where none runs, which ends 15 minutes after the last program that uses it. `running`: the daemon, or nothing is
   * permitted. `never`: this process. Once a daemon is used, calls are denied while it cannot be reached; with `auto` the
   * next call starts another one.
   */
  readonly daemon?: DaemonUse;
  /**
   * The workload that this program is, shown with each call (docs/workload-identity.md): `{ endpoint: 'unix:///…' }` of a SPIFFE
   * Workload API, `{ witFile, keyFile }` that something else keeps up to date, or `'none'`. Default: where the artifact names a
   * workload, the Workload API at `SPIFFE_ENDPOINT_SOCKET`. Only a daemon knows trust bundles: without one, calls that need a
   * workload are denied.
   */
  readonly workload?: WorkloadFrom | undefined;
  /** How long to wait for the Workload API. Default: 10 s. */
  readonly workloadWithinMs?: number;
  /** Scheme of the tool identifiers. */
  readonly scheme?: string;
  /** What is measured besides Writ and Node. Default: the script that this process runs, and its lockfile. */
  readonly measure?: () => Promise<readonly Component[]>;
}

/**
 * Opens an enforcement point in this process. Rejects with {@link WritDenied} where the trust domain cannot be opened; an
 * artifact that is missing, expired or not trusted does not keep it from opening: then every call is denied, on record.
 */
export async function openWrit(options: WritOptions): Promise<Writ> {
  const { name, scheme = 'sdk', clock, maxStalenessSeconds, maxLineageDepth, lockTimeoutMs } = options;
  if (!isLocalName(name)) throw new TypeError(`"${name}" is no name: letters, digits and . _ ~ - only`);
  const home = mustOpen(openDomain(options.home));
  const chain = readArtifact(home, options);
  const environment = environmentOf(home, options);
  const { components } = environment;
  const [shown, chosen] = await Promise.allSettled([
    isDenial(chain) ? undefined : shownWorkload(chain, options),
    chooseGovernor(options.daemon ?? 'found', {
      home,
      name,
      components,
      ...(clock === undefined ? {} : { clock }),
      ...(maxStalenessSeconds === undefined ? {} : { maxStalenessSeconds }),
      ...(maxLineageDepth === undefined ? {} : { maxLineageDepth }),
      ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
    }),
  ]);
  const workload = shown.status === 'fulfilled' ? shown.value : undefined;
  const governor = chosen.status === 'fulfilled' ? chosen.value : undefined;
  const close = async (): Promise<void> => {
    workload?.close();
    environment.stop();
    if (governor !== undefined && !isDenial(governor)) await governor.close();
  };
  try {
    if (shown.status === 'rejected') throw shown.reason;
    if (chosen.status === 'rejected') throw chosen.reason;
    const opened = mustOpen(chosen.value);
    environment.follow(opened);
    const presenter = isDenial(chain)
      ? chain
      : presenterOf({ home, chain, audience: opened.audience, workload, wallMs: clock?.wallMs });
    return new Writ({
      governor: opened.governor,
      presenter,
      home: home.folder,
      name,
      scheme,
      pinnedDigest: (id) => opened.pinnedDigest(id),
      onTools: (tools) => opened.setTools(tools),
      concludeLater: (executionId, end) => opened.concludeLater(executionId, end),
      close,
    });
  } catch (error) {
    // Nobody else could: the caller has nothing to close.
    await close();
    throw error;
  }
}

function shownWorkload(
  chain: readonly string[],
  { workload: from, workloadWithinMs: withinMs }: WritOptions,
): Promise<ShownWorkload | undefined> {
  const endpoint = process.env[ENDPOINT_VARIABLE];
  return chooseWorkload(chain, { from, endpoint, ...(withinMs === undefined ? {} : { withinMs }) });
}

function openDomain(named: string | undefined): Home | Denial {
  const fallback = process.env.WRIT_HOME;
  const folder =
    named ??
    findHomeFolder(process.cwd()) ??
    (fallback === undefined || fallback === '' ? undefined : fallback);
  if (folder === undefined) {
    return deny('request.malformed', 'there is no trust domain here: run "writ init" in your project');
  }
  return openHome(resolve(folder));
}

/** To the operator of this very process the detail is told: nothing has been asked yet, by nobody else. */
function mustOpen<T>(value: T | Denial): T {
  if (isDenial(value)) throw new WritDenied(value, { message: `Writ cannot be opened: ${value.detail}` });
  return value;
}

function readArtifact(home: Home, { artifact, agent, name }: WritOptions): readonly string[] | Denial {
  const path = artifactPath(home, process.cwd(), artifact ?? `${agent ?? defaultAgent(home)}-${name}`);
  const chain = readArtifactFile(path);
  return isDenial(chain) && chain.reason.stage === 'request'
    ? deny('artifact.missing', 'the artifact cannot be read')
    : chain;
}

function defaultAgent(home: Home): string {
  const [only, ...others] = localAgents(home);
  return only !== undefined && others.length === 0 ? only : 'agent';
}

interface Presented {
  readonly home: Home;
  readonly chain: readonly string[];
  readonly audience: string;
  readonly workload: ShownWorkload | undefined;
  readonly wallMs: (() => number) | undefined;
}

function presenterOf({
  home,
  chain,
  audience,
  workload,
  wallMs = () => Date.now(),
}: Presented): Presenter | Denial {
  const leaf = readToken(chain.at(-1) ?? '');
  if (isDenial(leaf)) return leaf;
  const holder = findHolderKey(home, leaf.holder.thumbprint);
  if (holder === undefined) {
    return deny('identity.mismatch', `no agent of ${home.domain} holds the key of the artifact`);
  }
  const nowSeconds = () => wallMs() / 1000;
  return createPresenter({
    ...{ chain, signer: holder.key, audience, nowSeconds },
    ...(workload && { workload: workload.for(audience, nowSeconds) }),
  });
}

function environmentOf(home: Home, { measure: measureRest, clock }: WritOptions): MeasuredEnvironment {
  const file = join(home.folder, 'cache', 'digests.json');
  const measure = async (onRead?: OnRead): Promise<readonly Component[]> => {
    const recalled = await recallDigests(file);
    const [enforcer, rest] = await Promise.all([
      measureEnforcer(onRead),
      measureRest === undefined ? measureProgram(onRead) : measureRest(),
    ]);
    await keepDigests(file, recalled);
    return [...enforcer, ...rest];
  };
  const measured = measureEnvironment({
    ...{ home, folder: process.cwd(), containerImage: process.env[IMAGE_VARIABLE] },
    nowSeconds: () => Math.floor((clock?.wallMs() ?? Date.now()) / 1000),
    measureProgram: measure,
  });
  if (!isDenial(measured)) return measured;
  // What cannot be measured is left out, so that what is bound to it denies.
  return { components: measure(), follow: () => undefined, stop: () => undefined };
}

/** The program that runs here. What cannot be found is left out, so that a binding on it does not hold. */
async function measureProgram(onRead: OnRead | undefined): Promise<readonly Component[]> {
  const script = process.argv[1];
  if (script === undefined) return [];
  const command = { command: process.execPath, args: [script], cwd: process.cwd() };
  const measured = await measureUpstream({ ...command, searchPath: process.env.PATH ?? '' }, onRead);
  return isDenial(measured) ? [] : measured.components;
}
