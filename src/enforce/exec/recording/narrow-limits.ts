import type { Limits } from '../limits.ts';

/** What a run used up, as far as that was measured. */
export interface MeasuredUse {
  readonly wallMs: number;
  readonly cpuMs?: number;
  readonly memoryPeakBytes?: number;
  /** Largest file that it left where it may write. */
  readonly largestFileBytes?: number;
  /** Sent and received together; undefined where it had no network. */
  readonly networkBytes?: number;
}

/** A limit: what is proposed, what was used where that was measured, and what it ran under. */
export interface NarrowLimit {
  readonly proposed: number;
  readonly used: number | null;
  readonly asked: number;
}

const MIB = 1024 * 1024;
/** Room for the next run to be slower or larger than this one. */
const TIME_ROOM = 5;
const MEMORY_ROOM = 2;
const NETWORK_ROOM = 4;
const LEAST_SECONDS = 10;
const LEAST_MEMORY_BYTES = 64 * MIB;
const LEAST_FILE_BYTES = MIB;
const LEAST_NETWORK_BYTES = 64 * 1024;

/**
 * Limits for the next run: what this one used, with room, and never more than it ran under. What was not measured stays
 * as it was asked for. Files that a program leaves in its own /tmp are gone with it, but are memory: none is larger than that was.
 */
export function narrowLimits(
  asked: Limits,
  use: MeasuredUse,
): { readonly [name in keyof Limits]: NarrowLimit } {
  const narrow = (name: keyof Limits, used: number | undefined, proposed: number): NarrowLimit => ({
    proposed: used === undefined ? asked[name] : Math.min(asked[name], proposed),
    used: used ?? null,
    asked: asked[name],
  });
  const { wallMs, cpuMs, memoryPeakBytes: memory, networkBytes: network } = use;
  const file = memory === undefined || use.largestFileBytes === undefined ? undefined : use.largestFileBytes;
  return {
    wallSeconds: narrow('wallSeconds', Math.ceil(wallMs / 1000), seconds(wallMs)),
    cpuSeconds: narrow(
      'cpuSeconds',
      cpuMs === undefined ? undefined : Math.ceil(cpuMs / 1000),
      seconds(cpuMs ?? 0),
    ),
    memoryBytes: narrow(
      'memoryBytes',
      memory,
      roundUp(Math.max(LEAST_MEMORY_BYTES, (memory ?? 0) * MEMORY_ROOM), 16 * MIB),
    ),
    processes: narrow('processes', undefined, 0),
    fileBytes: narrow(
      'fileBytes',
      file,
      roundUp(Math.max(LEAST_FILE_BYTES, (file ?? 0) * MEMORY_ROOM, memory ?? 0), MIB),
    ),
    openFiles: narrow('openFiles', undefined, 0),
    networkBytes:
      network === undefined
        ? { proposed: 0, used: 0, asked: asked.networkBytes }
        : narrow(
            'networkBytes',
            network,
            roundUp(Math.max(LEAST_NETWORK_BYTES, network * NETWORK_ROOM), 64 * 1024),
          ),
  };
}

function seconds(ms: number): number {
  return Math.max(LEAST_SECONDS, roundUp((ms * TIME_ROOM) / 1000, 5));
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
