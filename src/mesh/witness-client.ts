import { isDenial } from '../denial/index.ts';
import {
  type CheckpointCosigner,
  type CosigningContext,
  checkQuorum,
  compareHeads,
  type NoteVerifier,
  openCheckpoint,
  openNote,
  type PolicyWitness,
  QuorumUnmet,
  type QuorumVerdict,
  type SignedHead,
  SplitView,
  type VerifiedSignature,
  type WitnessPolicy,
} from '../tlog/index.ts';
import { addCheckpoint, fetchSeen } from './witness-request.ts';

export interface WitnessClientOptions {
  readonly policy: WitnessPolicy;
  /** Key of the log whose checkpoints are cosigned. */
  readonly logKey: NoteVerifier;
  /** For all witnesses together, since they are asked in parallel. 5,000 by default. */
  readonly timeoutMs?: number;
  /** Wall time in seconds. */
  readonly nowSeconds?: () => number;
}

const TIMEOUT_MS = 5_000;
/** Times a witness is told an old size: others may submit to it in between. */
const MAX_ATTEMPTS = 4;
/** A cosignature from further ahead would make the log look fresh for as long. */
const MAX_AHEAD_SECONDS = 300;

/** What became of asking one witness. */
type Asked =
  | { readonly kind: 'cosigned'; readonly signature: VerifiedSignature }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'split'; readonly view: SplitView };

/** Asks the witnesses of a policy for cosignatures, in parallel, until the policy is met (C2SP tlog-witness). */
export class WitnessClient implements CheckpointCosigner {
  readonly #policy: WitnessPolicy;
  readonly #logKey: NoteVerifier;
  readonly #timeoutMs: number;
  readonly #nowSeconds: () => number;
  /** Sizes that witnesses were last known to have cosigned, by their name in the policy. */
  readonly #seen = new Map<string, number>();

  constructor(options: WitnessClientOptions) {
    this.#policy = options.policy;
    this.#logKey = options.logKey;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#nowSeconds = options.nowSeconds ?? (() => Date.now() / 1_000);
  }

  check(note: string): QuorumVerdict {
    const keys = this.#policy.witnesses.map(({ verifier }) => verifier);
    const opened = openCheckpoint(note, this.#logKey, keys);
    if (isDenial(opened)) return { met: false, missing: opened.detail };
    return checkQuorum(this.#policy, opened.cosignatures);
  }

  async cosign(note: string, context: CosigningContext): Promise<string> {
    const checkpoint = openCheckpoint(note, this.#logKey);
    if (isDenial(checkpoint))
      throw new TypeError(`only the log's own checkpoint is cosigned: ${checkpoint.detail}`);
    const head: SignedHead = { size: checkpoint.size, rootHash: checkpoint.rootHash, note };
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(this.#timeoutMs)]);
    const signatures: VerifiedSignature[] = [];
    const failures: string[] = [];
    const reachable = this.#policy.witnesses.filter(({ url }) => url !== undefined);
    const asking = reachable.map(async (witness) => {
      const asked = await this.#ask(witness, head, context, signal);
      // The first proof of another history, or enough cosignatures, ends the asking.
      if (done.signal.aborted) return;
      if (asked.kind === 'split') throw asked.view;
      if (asked.kind === 'failed') failures.push(`${witness.name}: ${asked.reason}`);
      else signatures.push(asked.signature);
      if (checkQuorum(this.#policy, signatures).met) done.abort();
    });
    try {
      await Promise.all(asking);
    } finally {
      done.abort();
    }
    const verdict = checkQuorum(this.#policy, signatures);
    if (verdict.met) return `${note}${signatures.map(({ line }) => line).join('')}`;
    const why = failures.length === 0 ? 'no witness of it has a URL' : failures.join('; ');
    throw new QuorumUnmet(`the witness policy is not met: ${verdict.missing}: ${why}`);
  }

  async #ask(
    witness: PolicyWitness,
    head: SignedHead,
    context: CosigningContext,
    signal: AbortSignal,
  ): Promise<Asked> {
    try {
      return await this.#submit(witness, head, context, signal);
    } catch (error) {
      return { kind: 'failed', reason: reasonOf(error, signal) };
    }
  }

  async #submit(
    { name, verifier, url = '' }: PolicyWitness,
    head: SignedHead,
    context: CosigningContext,
    signal: AbortSignal,
  ): Promise<Asked> {
    let oldSize = Math.min(this.#seen.get(name) ?? context.knownSize, head.size);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const request = { oldSize, proof: context.prove(oldSize), checkpoint: head.note };
      const reply = await addCheckpoint(url, request, signal);
      if (reply.kind === 'lines') {
        const signature = this.#verify(reply.lines, verifier, head.note);
        if (typeof signature === 'string') return { kind: 'failed', reason: signature };
        this.#seen.set(name, head.size);
        return { kind: 'cosigned', signature };
      }
      if (reply.kind === 'size' && reply.size <= head.size && reply.size !== oldSize) {
        oldSize = reply.size;
        continue;
      }
      const seen = reply.kind === 'size' ? await fetchSeen(url, this.#logKey.name, signal) : reply.seen;
      const view = this.#findSplit(name, seen, head, context);
      if (view !== undefined) return { kind: 'split', view };
      return { kind: 'failed', reason: describeRefusal(reply, head) };
    }
    return { kind: 'failed', reason: 'it named another old size each time' };
  }

  /** The witness's own signature among what it answered; else what is wrong with the answer. */
  #verify(lines: string, verifier: NoteVerifier, note: string): VerifiedSignature | string {
    const opened = openNote(`${note}${lines}`, [verifier]);
    if (isDenial(opened)) return 'its answer is no cosignature of this checkpoint by its key';
    const [signature] = opened.signatures;
    const atSeconds = signature?.timestampSeconds ?? 0;
    if (signature === undefined || atSeconds === 0) return 'its cosignature states no time';
    if (atSeconds > this.#nowSeconds() + MAX_AHEAD_SECONDS) return 'its cosignature is from the future';
    return signature;
  }

  /**
   * Two heads under this log's own key that do not go together. A witness is not believed: only what it shows counts,
   * and only this log's key makes it count.
   */
  #findSplit(
    name: string,
    seen: string | undefined,
    head: SignedHead,
    { prove }: CosigningContext,
  ): SplitView | undefined {
    if (seen === undefined) return undefined;
    const kept = openCheckpoint(seen, this.#logKey);
    if (isDenial(kept)) return undefined;
    const verdict = compareHeads(kept, head, prove);
    if (verdict === 'extends') return undefined;
    const problem =
      verdict === 'forked'
        ? `witness ${name} has seen another history of its first ${kept.size} entries`
        : `witness ${name} has seen ${kept.size} entries of a log that now has ${head.size}: an older copy was put in its place`;
    return new SplitView(`${this.#logKey.name}: ${problem}; both heads are signed with its key`, [
      seen,
      head.note,
    ]);
  }
}

function describeRefusal(
  reply:
    | { readonly kind: 'size'; readonly size: number }
    | { readonly kind: 'refused'; readonly status: number },
  { size }: SignedHead,
): string {
  if (reply.kind === 'size') {
    return reply.size > size
      ? `it has seen ${reply.size} entries, more than the ${size} there are: was the log restored from an older copy?`
      : 'it refuses the old size that it named itself';
  }
  switch (reply.status) {
    case 403:
      return 'it knows the log under another key (403)';
    case 404:
      return 'it does not know this log (404)';
    case 409:
      return 'it has seen another tree of this size (409)';
    case 422:
      return 'it does not accept the consistency proof (422)';
    default:
      return `it answered with status ${reply.status}`;
  }
}

/** Never a text of the other side: a code, or our own words. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'no answer in time';
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  if (cause instanceof Error && 'code' in cause) return `it cannot be reached (${String(cause.code)})`;
  return error instanceof Error ? error.message : 'unknown error';
}
