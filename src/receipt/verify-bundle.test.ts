import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, nowSeconds, TestDomain, testBundle, WRITE } from '../../test/support/trust-domain.ts';
import { createProof, mintRoot } from '../artifact/index.ts';
import { canonicalize, digestOf, type JsonObject, type JsonValue } from '../codec/index.ts';
import { readKeyFile, SigningKey } from '../key/index.ts';
import {
  COSIGNATURE_V1,
  formatCheckpoint,
  formatTlogProof,
  leafHash,
  MerkleTree,
  type NoteVerifier,
  noteSigner,
  noteVerifier,
  signNote,
} from '../tlog/index.ts';
import {
  type BundledEntry,
  type BundledExecution,
  EVIDENCE_KINDS,
  type EvidenceBundle,
  type EvidenceKind,
  saltedDigest,
  verifyBundle,
} from './index.ts';

type Json = Record<string, JsonValue>;

/** A bundle as the domain packed it, its two receipts, and a log of our own that lies as told. */
let domain: TestDomain;
let genuine: EvidenceBundle;
let denied: EvidenceBundle;
let decision: Json;
let outcome: Json;
let logKey: NoteVerifier;
const liar = SigningKey.generate();

const receiptIn = (entry: BundledEntry | undefined): Json =>
  JSON.parse(Buffer.from(entry?.entry ?? '', 'base64').toString('utf8')) as Json;

beforeAll(async () => {
  domain = await TestDomain.create();
  const opened = await domain.open();
  const run = (args: JsonObject, tools?: JsonObject) =>
    opened.governor.run(
      domain.call([domain.issue(tools === undefined ? {} : ({ tools } as never))], {
        audience: opened.audience,
        args,
      }),
      async () => ({ status: 'succeeded', value: 1, evidence: Buffer.from('result') }),
    );
  const permit = await run({ path: '/a', content: 'secret' });
  const denial = await run({ path: '/b' }, { 'mcp://fs/tools/another': {} });
  await opened.close();
  genuine = await domain.bundle(permit.executionId);
  denied = await domain.bundle(denial.executionId);
  decision = receiptIn(receiptsOf(genuine).decision);
  outcome = receiptIn(outcomeOf(genuine));
  const { home } = domain;
  logKey = noteVerifier(home.executionOrigin('fs'), must(readKeyFile(home.logKeyFile('fs'))).publicKey);
});
afterAll(() => domain.dispose());

const check = (bundle: unknown, key = logKey) => verifyBundle(JSON.stringify(bundle), { logs: [key] });

const receiptsOf = ({ executions: [first] }: EvidenceBundle): BundledExecution => {
  if (first === undefined) throw new TypeError('no execution');
  return first;
};
const outcomeOf = (bundle: EvidenceBundle): BundledEntry => receiptsOf(bundle).outcome as BundledEntry;

/** What a bundle holds of the evidence of its first execution, by kind. */
function evidenceOf(bundle: EvidenceBundle): Json {
  const { evidence } = receiptIn(receiptsOf(bundle).decision) as { evidence: Record<EvidenceKind, string> };
  return Object.fromEntries(
    EVIDENCE_KINDS.flatMap((kind) => {
      const part = bundle.evidence[evidence[kind]];
      return part === undefined ? [] : [[kind, part as JsonValue]];
    }),
  );
}

interface Change {
  readonly decision?: BundledEntry;
  readonly outcome?: BundledEntry | null | undefined;
  readonly salt?: string | undefined;
  readonly anchor?: Json | undefined;
  readonly withheld?: readonly string[];
  /** By kind; undefined takes a part away. */
  readonly evidence?: Partial<Record<EvidenceKind, JsonValue | undefined>>;
}

/** A bundle with changes. */
function changedIn(bundle: EvidenceBundle, { evidence = {}, ...change }: Change): Json {
  const base = structuredClone(bundle) as unknown as Json;
  const { evidence: addresses } = receiptIn(receiptsOf(bundle).decision) as { evidence: Json };
  const parts = { ...(base.evidence as Json) } as Record<string, JsonValue | undefined>;
  for (const [kind, part] of Object.entries(evidence)) parts[String(addresses[kind])] = part;
  return {
    ...base,
    executions: [{ ...receiptsOf(bundle), ...change }],
    evidence: parts,
  } as unknown as Json;
}
const changed = (change: Change): Json => changedIn(genuine, change);

/** The genuine evidence over receipts that a log whose operator lies has signed for. */
function lie(
  changes: {
    decision?: Json;
    outcome?: Json;
    evidence?: NonNullable<Change['evidence']>;
    anchor?: Json;
    before?: number;
    salt?: string;
  } = {},
): { report: ReturnType<typeof verifyBundle>; bundle: Json } {
  const decisionEntry = Buffer.from(canonicalize({ ...decision, ...changes.decision }));
  const before = Array.from({ length: changes.before ?? 0 }, (_, index) => Buffer.from(`entry ${index}`));
  const index = before.length;
  const outcomeEntry = Buffer.from(
    canonicalize({
      ...outcome,
      decision: { index, leafHash: Buffer.from(leafHash(decisionEntry)).toString('base64url') },
      ...changes.outcome,
    }),
  );
  const entries = [...before, decisionEntry, outcomeEntry];
  const tree = new MerkleTree();
  for (const entry of entries) tree.append(leafHash(entry));
  const note = signNote(
    formatCheckpoint({ origin: logKey.name, size: entries.length, rootHash: tree.root() }),
    [noteSigner(logKey.name, liar)],
  );
  const bundled = (at: number): BundledEntry => ({
    entry: Buffer.from(entries[at] ?? []).toString('base64'),
    proof: formatTlogProof({ index: at, proof: tree.inclusionProof(at, entries.length), checkpoint: note }),
  });
  const bundle = changed({
    decision: bundled(index),
    outcome: bundled(index + 1),
    ...(changes.evidence ? { evidence: changes.evidence } : {}),
    ...(changes.anchor ? { anchor: changes.anchor } : {}),
    ...(changes.salt === undefined ? {} : { salt: changes.salt }),
  });
  return { bundle, report: check(bundle, noteVerifier(logKey.name, liar.publicKey)) };
}

const evidence = () => evidenceOf(genuine);
const requestEvidence = () => evidence().request as Json;

describe('verifyBundle', () => {
  it('verifies what a domain packed: a permit with its outcome, and a denial', () => {
    expect(check(genuine)).toMatchObject({ verified: true, problems: [], withheld: [] });
    expect(check(denied)).toMatchObject({ verified: true, problems: [], withheld: [] });
    // And a log of our own that says the same.
    expect(lie({ before: 5 }).report).toMatchObject({ verified: true, problems: [], withheld: [] });
  });

  it('says what is withheld, and does not call it wrong', () => {
    const closed = changed({ evidence: { request: undefined }, salt: undefined, withheld: ['request'] });
    expect(check(closed)).toMatchObject({ verified: true, withheld: ['request'] });
  });

  it.each<[string, () => unknown, RegExp]>([
    ['no bundle at all', () => [], /bundle: /],
    ['a member nobody checks', () => ({ ...changed({}), note: 'all is well' }), /malformed/],
    ['evidence nobody checks', () => changedAt({ ['A'.repeat(43)]: {} }), /is of no execution here/],
    [
      'the decision of another execution',
      () => changed({ decision: receiptsOf(denied).decision }),
      /decision: it is of another execution/,
    ],
    ['the outcome in place of the decision', () => changed({ decision: outcomeOf(genuine) }), /decision: /],
    [
      'the decision in place of the outcome',
      () => changed({ outcome: receiptsOf(genuine).decision }),
      /outcome: /,
    ],
    [
      'an entry changed by one byte',
      () =>
        changed({
          decision: {
            ...receiptsOf(genuine).decision,
            entry: Buffer.from(canonicalize({ ...decision, atMs: 1 })).toString('base64'),
          },
        }),
      /inclusion proof does not verify/,
    ],
    [
      'another index',
      () =>
        changed({
          decision: {
            ...receiptsOf(genuine).decision,
            proof: receiptsOf(genuine).decision.proof.replace('index 0', 'index 1'),
          },
        }),
      /decision: /,
    ],
    [
      'a checkpoint changed by one digit',
      () =>
        changed({
          decision: {
            ...receiptsOf(genuine).decision,
            proof: receiptsOf(genuine).decision.proof.replace(/\n(\d+)\n/, '\n9\n'),
          },
        }),
      /does not verify/,
    ],
    [
      'base64 of another spelling',
      () =>
        changed({
          decision: { ...receiptsOf(genuine).decision, entry: ` ${receiptsOf(genuine).decision.entry}` },
        }),
      /not base64/,
    ],
    [
      'the chain of another call',
      () => changed({ evidence: { chain: evidenceOf(denied).chain as JsonValue } }),
      /evidence\.chain: not the artifact/,
    ],
    ['an empty chain', () => changed({ evidence: { chain: [] } }), /evidence\.chain: not the artifact/],
    [
      'an anchor that did not sign',
      () => changed({ anchor: { iss: domain.home.issuer, jwk: jwkOf(SigningKey.generate()) } }),
      /evidence\.chain: /,
    ],
    [
      'an anchor of another name',
      () => changed({ anchor: { ...receiptsOf(genuine).anchor, iss: 'spiffe://else/issuer' } as Json }),
      /evidence\.chain: /,
    ],
    [
      'an anchor over nothing',
      () => changed({ evidence: { chain: undefined }, withheld: ['chain'] }),
      /evidence\.anchor: there is no chain/,
    ],
    [
      'another policy',
      () => changed({ evidence: { policy: policyOf('forbid (principal, action, resource);') } }),
      /evidence\.policy/,
    ],
    [
      'another measurement',
      () => changed({ evidence: { measurement: { ...(evidence().measurement as Json), measuredAt: 5 } } }),
      /evidence\.measurement/,
    ],
    [
      'a measurement of higher assurance',
      () => changed({ evidence: { measurement: { ...(evidence().measurement as Json), assurance: 'tpm' } } }),
      /evidence\.measurement/,
    ],
    ['a request without its proof', () => changed({ evidence: { request: {} } }), /lacks the proof/],
    [
      'arguments beside the proof that are not the proven ones',
      () => changed({ evidence: { request: { ...requestEvidence(), args: { path: '/etc' } } } }),
      /its arguments are not those of its proof/,
    ],
    [
      'another tool',
      () => changed({ evidence: { request: { ...requestEvidence(), tool: 'mcp://fs/tools/read_file' } } }),
      /not the tool/,
    ],
    [
      'the proof of another call by the same holder, under the same jti',
      () => changed({ evidence: { request: { pop: proofWith({ path: '/other' }) } } }),
      /not the arguments/,
    ],
    ['salt of another length', () => changed({ salt: Buffer.alloc(31).toString('base64url') }), /salt: /],
    ['another salt', () => changed({ salt: Buffer.alloc(32).toString('base64url') }), /not the arguments/],
  ])('refuses %s', (_name, bundle, problem) => {
    const report = check(bundle());
    expect(report.verified).toBe(false);
    expect(report.problems.join('; ')).toMatch(problem);
  });

  it('refuses a denial with arguments, tool or problem of its own', () => {
    const request = evidenceOf(denied).request as Json;
    const forge = (change: Json, drop: readonly string[] = []) => {
      const forged = Object.fromEntries(
        Object.entries({ ...request, ...change }).filter(([name]) => !drop.includes(name)),
      );
      return check(changedIn(denied, { evidence: { request: forged } })).problems;
    };
    expect(forge({})).toEqual([]);
    expect(forge({ tool: 'mcp://fs/tools/read_file' })).toContain(
      'evidence.request: not the tool the decision was made about',
    );
    expect(forge({ pop: proofWith({ path: '/b' }) })).not.toEqual([]);
    expect(forge({}, ['pop'])).not.toEqual([]);
  });

  it('refuses the log of another key, and a witness in place of the log', () => {
    expect(check(genuine, noteVerifier(logKey.name, liar.publicKey)).problems.join()).toMatch(/not signed/);
    expect(check(genuine, noteVerifier('test.local/execution/other', logKey.key)).verified).toBe(false);
    expect(check(genuine, noteVerifier(logKey.name, logKey.key, COSIGNATURE_V1)).problems).toContain(
      'log key: it is a witness key',
    );
  });

  it.each<[string, Parameters<typeof lie>[0], RegExp]>([
    ['a receipt of another log', { decision: { log: 'test.local/execution/x' } }, /names log/],
    ['an outcome of another log', { outcome: { log: 'test.local/execution/x' } }, /names another log/],
    ['an outcome of another execution', { outcome: { id: 'x' } }, /of another execution/],
    [
      'an outcome of another decision',
      { outcome: { decision: { index: 7, leafHash: '' } } },
      /names another decision/,
    ],
    ['a permit whose policy stage failed', { decision: stagesWith('policy', 'fail') }, /did not pass/],
    ['a permit whose approval was skipped', { decision: stagesWith('approval', 'skip') }, /did not pass/],
    ['a stage that does not exist', { decision: stagesWith('karma', 'pass') }, /stages is malformed/],
    [
      'a denial with an outcome',
      { decision: denialOf('policy', 'policy.forbidden') },
      /the decision was a denial/,
    ],
    [
      'a denial that failed nowhere',
      { decision: { ...denialOf('policy', 'policy.forbidden'), ...stagesWith() } },
      /a denial whose stages/,
    ],
    [
      'a denial that ran on after it failed',
      { decision: { ...denialOf('policy', 'policy.forbidden'), ...stagesWith('scope', 'fail') } },
      /a denial whose stages/,
    ],
    [
      'arguments that were not checked',
      { decision: { arguments: `salted-sha256:${'0'.repeat(64)}` } },
      /not the arguments/,
    ],
    [
      'a tool that the proof does not name',
      { decision: { tool: 'mcp://fs/tools/read_file' } },
      /evidence\.request/,
    ],
    ['a time at which the artifact had ended', { decision: { atMs: 4_000_000_000_000 } }, /evidence\.chain/],
    ['an instance that the proof does not name', { decision: { audiences: ['spiffe://x/y'] } }, /evidence\./],
    ['another policy', { decision: { policy: { id: 'x', digest: digestOf('x') } } }, /evidence\.policy/],
  ])('refuses a log that signed for %s', (_name, changes, problem) => {
    const { report } = lie(resolve(changes));
    expect(report.verified).toBe(false);
    expect(report.problems.join('; ')).toMatch(problem);
  });

  it('refuses a log that signed for facts the artifact does not state', () => {
    const artifact = decision.artifact as Json;
    const initiator = { id: 'spiffe://test.local/agent/scapegoat', kind: 'agent' };
    for (const fact of [{ initiator }, { holders: [] }, { tokenIds: ['x'] }, { issuer: 'spiffe://x/y' }]) {
      expect(lie({ decision: { artifact: { ...artifact, ...fact } } }).report.problems).toContain(
        'decision: the receipt says of the artifact what it does not say',
      );
    }
    const proof = { ...(decision.proof as Json), jti: 'other' };
    expect(lie({ decision: { proof } }).report.problems).toContain('evidence.request: it is another proof');
    const lineage = { ...(decision.lineage as Json), parent: 'made-up' };
    expect(lie({ decision: { lineage } }).report.problems).toContain(
      'evidence.request: it names another parent',
    );
    for (const part of ['artifact', 'proof', 'policy', 'lineage']) {
      const rest = Object.fromEntries(Object.entries(decision).filter(([name]) => name !== part));
      const kept = decision;
      decision = rest;
      expect(lie().report.problems, part).toContain(`decision: a permit without its ${part}`);
      decision = kept;
    }
  });

  it('refuses a log that permitted what the artifact does not grant', () => {
    const args = { path: '/etc/shadow' };
    const issuer = SigningKey.generate();
    const compact = must(
      mintRoot({
        issuer: { iss: domain.home.issuer, signer: issuer },
        holder: domain.agent.publicKey,
        tools: { [WRITE]: { path: { constraint_type: 'exact', value: '/a' } } },
        iatSeconds: nowSeconds() - 1,
        expSeconds: nowSeconds() + 60,
        maxDepth: 0,
        audiences: [domain.home.audience('fs')],
      }),
    );
    const base = { leaf: compact, signer: domain.agent, tool: WRITE, audience: domain.home.audience('fs') };
    const pop = createProof({ ...base, args, iatSeconds: nowSeconds(), jti: 'p' });
    const salt = Buffer.alloc(32, 1);
    const { report } = lie({
      salt: salt.toString('base64url'),
      anchor: { iss: domain.home.issuer, jwk: jwkOf(issuer) },
      decision: {
        artifact: factsOf(compact),
        proof: { jti: 'p', iatSeconds: nowSeconds() },
        atMs: Date.now(),
        arguments: saltedDigest(salt, canonicalize(args)),
      },
      evidence: {
        chain: [compact],
        request: { tool: WRITE, pop },
      },
    });
    expect(report.problems.join('; ')).toMatch(/step 6b: .*path/);
  });

  it('refuses two histories of one log: decision and outcome under different checkpoints', () => {
    const here = lie().bundle as unknown as EvidenceBundle;
    const there = lie({ before: 1 }).bundle as unknown as EvidenceBundle;
    const forked = changedIn(here, { outcome: outcomeOf(there) });
    const report = check(forked, noteVerifier(logKey.name, liar.publicKey));
    expect(report.problems).toContain(
      'outcome: it is proven under another checkpoint than the others of its log',
    );
  });

  it('does not vouch for the chain and the proof of a call that was denied before they were accepted', () => {
    const { report } = lie({
      decision: { ...denialOf('artifact', 'artifact.signature_invalid') },
    });
    expect(report.withheld).toEqual([]);
    const bare = Object.fromEntries(
      Object.entries({ ...decision, ...denialOf('artifact', 'artifact.signature_invalid') }).filter(
        ([name]) => !['artifact', 'proof', 'lineage', 'agent'].includes(name),
      ),
    );
    const kept = decision;
    decision = bare;
    const { bundle } = lie({
      evidence: { request: { tool: WRITE, args: { path: '/a', content: 'secret' }, pop: 'x.y.z' } },
    });
    decision = kept;
    const alone = changedIn(bundle as unknown as EvidenceBundle, { outcome: undefined, anchor: undefined });
    expect(check(alone, noteVerifier(logKey.name, liar.publicKey))).toMatchObject({
      verified: true,
      withheld: ['proof', 'chain'],
    });
  });
});

/** The genuine bundle with more evidence. */
function changedAt(parts: Json): Json {
  const base = changed({});
  return { ...base, evidence: { ...(base.evidence as Json), ...parts } };
}

function jwkOf(key: SigningKey): JsonObject {
  return { ...key.publicKey.jwk };
}

function policyOf(text: string): JsonObject {
  return JSON.parse(Buffer.from(testBundle(text).bytes).toString('utf8')) as JsonObject;
}

/** A proof by the same holder for the same leaf, under the jti the receipt names. */
function proofWith(args: JsonObject): string {
  return createProof({
    leaf: (evidence().chain as string[]).at(-1) ?? '',
    signer: domain.agent,
    tool: WRITE,
    args,
    audience: domain.home.audience('fs'),
    iatSeconds: (decision.proof as { iatSeconds: number }).iatSeconds,
    jti: (decision.proof as { jti: string }).jti,
  });
}

function factsOf(compact: string): JsonObject {
  const payload = JSON.parse(Buffer.from(compact.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    jti: string;
    iss: string;
  };
  const signingInput = compact.slice(0, compact.lastIndexOf('.'));
  return {
    digest: digestOf(compact),
    issuer: payload.iss,
    tokenIds: [payload.jti],
    tokenHashes: [Buffer.from(digestOf(signingInput).slice(7), 'hex').toString('base64url')],
    holders: [domain.agent.publicKey.thumbprint],
  };
}

/** Changes that read the genuine receipt are made when it is there. */
function resolve(changes: Parameters<typeof lie>[0] = {}): Parameters<typeof lie>[0] {
  const stages = changes.decision?.stages as Json | undefined;
  if (stages === undefined) return changes;
  return {
    ...changes,
    decision: { ...changes.decision, stages: { ...(decision.stages as Json), ...stages } },
  };
}

function stagesWith(stage?: string, verdict?: string): Json {
  return { stages: stage === undefined ? {} : { [stage]: verdict ?? '' } };
}

function denialOf(stage: string, code: string): Json {
  const order =
    'request artifact identity scope environment revocation lineage policy approval replay record';
  const names = order.split(' ');
  const failed = names.indexOf(stage);
  const verdicts = names.map((name, at) => [name, at < failed ? 'pass' : at === failed ? 'fail' : 'skip']);
  return { verdict: 'deny', code, stages: Object.fromEntries(verdicts) as Json };
}
