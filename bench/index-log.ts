/** Makes the log that the index bench asks about: real decision receipts, varied as a busy month varies, by the real writer. */
import { newUuidV7 } from '../src/artifact/index.ts';
import { digestOf, sha256Base64url } from '../src/codec/index.ts';
import { REASONS, type ReasonCode, STAGES } from '../src/denial/index.ts';
import { type ArtifactFacts, DECISION_RECEIPT, serializeReceipt } from '../src/receipt/index.ts';
import type { SqliteLog } from '../src/storage/index.ts';
import type { AppendRequest } from '../src/tlog/index.ts';

const MONTH_MS = 30 * 86_400_000;
const START_MS = Date.UTC(2026, 9, 1);
const IN_FLIGHT = 4096;
const AGENTS = 50;
const TOOLS = 80;
const ARTIFACTS = 400;
const PEOPLE = 30;
const DENIED = 0.15;
const FOLLOWS = 0.4;
const REMEMBERED = 200;

const CODES = Object.keys(REASONS).slice(0, 24) as ReasonCode[];
const STAGE_NAMES: readonly string[] = STAGES;
const DIGEST = digestOf('a component');

/** Deterministic (mulberry32), so that two runs ask about the same log. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A few do most of it. */
function skewed(random: () => number, count: number): number {
  return Math.floor(random() ** 2 * count);
}

export const agentOf = (at: number): string => `spiffe://bench.example/agent/worker-${at}`;
export const toolOf = (at: number): string => `mcp://server-${at % 8}/tools/operation_${at}`;
export const personOf = (at: number): string => `spiffe://bench.example/user/person-${at}`;

function artifactOf(at: number): ArtifactFacts {
  const tokens = Array.from(
    { length: 1 + (at % 3) },
    (_, depth) => `${at}-${depth}-token-of-the-bench-000000000`,
  );
  return {
    digest: digestOf(tokens.join('\n')),
    issuer: 'spiffe://bench.example/issuer',
    tokenIds: tokens,
    tokenHashes: tokens.map(sha256Base64url),
    holders: tokens.map((token) => sha256Base64url(`holder ${token}`)),
    initiator: { id: personOf(at % PEOPLE), kind: 'human' },
    attribution: { owner: personOf((at * 7) % PEOPLE) },
    purpose: 'weekly report',
  };
}

export const ARTIFACT_FACTS = Array.from({ length: ARTIFACTS }, (_, at) => artifactOf(at));

/** Appends until the log has `size` entries. */
export async function fillLog(log: SqliteLog, origin: string, size: number): Promise<void> {
  const random = randomOf(2026 + log.head().size);
  const recent: { id: string; root: string }[] = [];
  for (let at = log.head().size; at < size; ) {
    const until = Math.min(size, at + IN_FLIGHT);
    const batch: Promise<unknown>[] = [];
    for (; at < until; at += 1) batch.push(log.append(requestOf(origin, at / size, random, recent)));
    await Promise.all(batch);
  }
}

function requestOf(
  origin: string,
  progress: number,
  random: () => number,
  recent: { id: string; root: string }[],
): AppendRequest {
  const atMs = START_MS + Math.floor(progress * MONTH_MS) + Math.floor(random() * 50);
  const id = newUuidV7(atMs);
  const parent = random() < FOLLOWS ? recent[Math.floor(random() * recent.length)] : undefined;
  const root = parent?.root ?? id;
  const code = random() < DENIED ? CODES[skewed(random, CODES.length)] : undefined;
  const agent = skewed(random, AGENTS);
  // The two most frequent never meet: the worst that a question about both can be asked.
  const tool = skewed(random, TOOLS) || (agent === 0 ? 1 : 0);
  const failed = code === undefined ? STAGES.length : STAGE_NAMES.indexOf(REASONS[code].stage);
  const entry = serializeReceipt({
    type: DECISION_RECEIPT,
    id,
    atMs,
    log: origin,
    audiences: ['spiffe://bench.example/gateway/bench'],
    tool: toolOf(tool),
    arguments: `salted-sha256:${DIGEST.slice(7)}`,
    verdict: code === undefined ? 'permit' : 'deny',
    ...(code === undefined ? {} : { code, detail: REASONS[code].text }),
    stages: Object.fromEntries(
      STAGES.map((stage, place) => [stage, place < failed ? 'pass' : place === failed ? 'fail' : 'skip']),
    ),
    artifact: ARTIFACT_FACTS[skewed(random, ARTIFACTS)],
    proof: { jti: newUuidV7(atMs), iatSeconds: Math.floor(atMs / 1000) },
    agent: agentOf(agent),
    environment: { digest: DIGEST, assurance: 'self', measuredAtSeconds: Math.floor(START_MS / 1000) },
    toolDefinition: DIGEST,
    policy: { id: 'policy', digest: DIGEST, determining: ['tools'] },
    governance: { size: 12, rootHash: sha256Base64url('root'), checkedAtMs: atMs },
    bounds: { maxStalenessSeconds: 10, maxLineageDepth: 32, logSize: 0 },
    lineage: { ...(parent && { parent: parent.id }), root, depth: parent === undefined ? 0 : 1 },
    evidence: {
      request: sha256Base64url(id),
      chain: sha256Base64url('chain'),
      policy: sha256Base64url('policy'),
    },
  });
  if (code === undefined) {
    recent.push({ id, root });
    if (recent.length > REMEMBERED) recent.shift();
  }
  return { entry, keys: [`execution:${id}`] };
}

export const LOG_START_MS = START_MS;
export const LOG_SPAN_MS = MONTH_MS;
export const COUNTS = { agents: AGENTS, tools: TOOLS, people: PEOPLE, codes: CODES } as const;
