import { createPresenter } from '../artifact/index.ts';
import { isDenial } from '../denial/index.ts';
import {
  type Confiner,
  confinerComponents,
  copyPaths,
  type ExecAsk,
  type ExecOutcome,
  type ExecTool,
  execPointName,
  findPathUse,
  type HeldProcess,
  type PathCopies,
  type PathUse,
  runExec,
  type Streams,
} from '../enforce/exec/index.ts';
import { issueArtifact, openGovernor } from '../governor/index.ts';
import { findHolderKey } from './agents.ts';
import { denied } from './cli-error.ts';
import { measuringOf } from './exec-measure.ts';
import { pinTool } from './exec-pin.ts';
import { type By, ensureAgent } from './init-steps.ts';
import type { ThrowawayDomain } from './throwaway-domain.ts';

export interface RunToRecord {
  readonly tool: ExecTool;
  readonly ask: ExecAsk;
  readonly confiner: Confiner;
  readonly cwd: string;
  /** Folders of trust domains, which are not copied. */
  readonly excluded: readonly string[];
  readonly purpose: string;
  readonly streams: Streams;
  readonly signal: AbortSignal;
  readonly onStart: (running: HeldProcess) => void;
}

export interface RecordedRun {
  readonly outcome: ExecOutcome;
  /** What it did with everything that lies in what it was granted. */
  readonly uses: readonly PathUse[];
  readonly leftOut: PathCopies['leftOut'];
  readonly wallMs: number;
}

/** Beyond the time that the program may take. */
const TTL_SECONDS = 3600;

/**
 * Runs a program under an artifact of a throwaway domain that grants it whatever it asks for, by the same decision and
 * confinement as any other, on copies of what it was granted.
 */
export async function recordRun(domain: ThrowawayDomain, run: RunToRecord, by: By): Promise<RecordedRun> {
  const { home } = domain;
  const { tool, ask, confiner, cwd, excluded, purpose, streams, signal } = run;
  const agent = await ensureAgent(home, undefined, by);
  await pinTool(home, tool, by);
  const name = execPointName(tool.server);
  const issued = await issueArtifact(
    home,
    {
      holder: agent.key,
      tools: { [tool.id]: {} },
      audiences: [home.audience(name)],
      iatSeconds: by.atSeconds,
      expSeconds: by.atSeconds + ask.limits.wallSeconds + TTL_SECONDS,
      writ: {
        initiator: { id: by.actor, kind: 'human' },
        environment: { components: [...confinerComponents(confiner)] },
        governance: { purpose },
      },
    },
    by,
  );
  if (isDenial(issued)) throw denied(issued);
  const holder = findHolderKey(home, agent.key.thumbprint);
  if (holder === undefined) throw new TypeError('the agent of a throwaway domain has no key');
  const opened = await openGovernor({
    home,
    name,
    components: measuringOf(home, ask.program, confiner).measure(),
  });
  if (isDenial(opened)) throw denied(opened);
  let copies: PathCopies | undefined;
  let uses: readonly PathUse[] = [];
  let [startMs, endMs] = [0, 0];
  try {
    opened.setTools([{ id: tool.id, digest: tool.digest }]);
    const outcome = await runExec(
      {
        governor: opened.governor,
        presenter: createPresenter({
          chain: [issued.compact],
          signer: holder.key,
          audience: opened.audience,
        }),
        confiner,
        // What holds them is copied without them.
        hidden: [],
        cwd,
        async standIn(paths) {
          const copied = await copyPaths(paths, {
            folder: domain.makeFolder(),
            excluded: [...excluded, domain.folder],
            signal,
          });
          if (isDenial(copied)) return copied;
          copies = copied;
          return copied.standIns;
        },
      },
      {
        tool,
        ask,
        streams,
        signal,
        onStart(running) {
          startMs = performance.now();
          run.onStart(running);
        },
        onEnd() {
          endMs = performance.now();
          uses = findPathUse(copies?.entries ?? []);
        },
      },
    );
    const leftOut = copies?.leftOut ?? { secret: [], other: 0 };
    return { outcome, uses, leftOut, wallMs: Math.max(0, endMs - startMs) };
  } finally {
    await opened.close();
  }
}
