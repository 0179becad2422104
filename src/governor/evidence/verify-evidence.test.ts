import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../../test/support/trust-domain.ts';
import { canonicalize, type JsonObject, type JsonValue } from '../../codec/index.ts';
import { readKeyFile } from '../../key/index.ts';
import type { BundledExecution, DecisionReceipt, EvidenceBundle } from '../../receipt/index.ts';
import {
  formatCheckpoint,
  formatTlogProof,
  leafHash,
  MerkleTree,
  noteSigner,
  signNote,
} from '../../tlog/index.ts';
import { bundleExecution, bundleLineage } from './bundle-execution.ts';
import { type EvidenceReport, verifyEvidence } from './verify-evidence.ts';
import { makeWorld, type World } from './world.test-support.ts';

let world: World;
const bundles = new Map<string, EvidenceBundle>();

beforeAll(async () => {
  world = await makeWorld();
  for (const [name, id] of Object.entries(world.ids)) {
    bundles.set(name, must(await bundleExecution(world.domain.home, id)));
  }
  bundles.set('lineage', must(await bundleLineage(world.domain.home, world.ids.grandchild)));
}, 60_000);
afterAll(() => world?.domain.dispose());

const bundleOf = (name: string): EvidenceBundle => {
  const bundle = bundles.get(name);
  if (bundle === undefined) throw new TypeError(name);
  return bundle;
};
const check = (bundle: unknown) => verifyEvidence(JSON.stringify(bundle), { logs: [world.fs] });

describe('verifyEvidence', () => {
  it.each(['root', 'grandchild', 'denied', 'revoked', 'other'])('makes the decision again: %s', (name) => {
    const report = check(bundleOf(name));
    expect(report.problems).toEqual([]);
    expect(report).toMatchObject({ verified: true, withheld: [] });
    expect(report.executions[0]).toMatchObject({ subject: true, rederived: 'same' });
  });

  it('carries the lineage path to the root, through the log beside', () => {
    const { executions } = check(bundleOf('grandchild'));
    expect(executions.map(({ execution }) => execution)).toEqual([
      world.ids.grandchild,
      world.ids.child,
      world.ids.root,
    ]);
    expect(executions[1]?.decision?.log).toBe('test.local/execution/web');
  });

  it('verifies a whole lineage', () => {
    const report = check(bundleOf('lineage'));
    expect(report.problems).toEqual([]);
    expect(report.executions.map(({ execution }) => execution)).toEqual([
      world.ids.root,
      world.ids.child,
      world.ids.denied,
      world.ids.grandchild,
    ]);
    expect(report.executions.every(({ rederived }) => rederived === 'same')).toBe(true);
  });
});

describe('a log whose operator lies', () => {
  /** The genuine bundle over a decision that the log itself, with its own key, has signed for. */
  function lie(name: string, change: (receipt: DecisionReceipt) => object): EvidenceReport {
    const bundle = bundleOf(name);
    const [first] = bundle.executions as [BundledExecution];
    const receipt = JSON.parse(
      Buffer.from(first.decision.entry, 'base64').toString('utf8'),
    ) as DecisionReceipt;
    const lied: Record<string, unknown> = { ...receipt, bounds: { ...receipt.bounds, logSize: 0 } };
    for (const [member, value] of Object.entries(change(receipt))) {
      if (value === undefined) delete lied[member];
      else lied[member] = value;
    }
    const entry = Buffer.from(canonicalize(lied as JsonObject));
    const tree = new MerkleTree();
    tree.append(leafHash(entry));
    const { name: origin } = world.fs;
    const signer = must(readKeyFile(world.domain.home.logKeyFile('fs')));
    const checkpoint = signNote(formatCheckpoint({ origin, size: 1, rootHash: tree.root() }), [
      noteSigner(origin, signer),
    ]);
    const proof = formatTlogProof({ index: 0, proof: [], checkpoint });
    const isPermit = lied.verdict === 'permit';
    const execution = {
      ...first,
      decision: { entry: entry.toString('base64'), proof },
      ...(isPermit ? { outcome: null } : {}),
    };
    if (!isPermit) Reflect.deleteProperty(execution, 'outcome');
    return check({ ...bundle, executions: [execution] });
  }
  const permitted = ({ stages, policy }: DecisionReceipt) => ({
    ...{ verdict: 'permit', code: undefined, detail: undefined },
    stages: Object.fromEntries(Object.keys(stages).map((stage) => [stage, 'pass'])) as JsonObject,
    policy: { ...policy, determining: ['test.0'] } as JsonValue,
  });

  it.each<[string, string, (receipt: DecisionReceipt) => object, RegExp]>([
    [
      'permits what was revoked',
      'revoked',
      (receipt) => ({ ...permitted(receipt), lineage: { root: receipt.id, depth: 0 } }),
      /recorded permit, derived revocation\.revoked/,
    ],
    [
      'permits as a root what follows from another',
      'denied',
      (receipt) => ({ ...permitted(receipt), lineage: { root: receipt.id, depth: 0 } }),
      /^evidence\.request: it names another parent/,
    ],
    [
      'denies what was permitted',
      'other',
      ({ stages }) => ({
        ...{ verdict: 'deny', code: 'policy.forbidden', policy: undefined },
        stages: { ...stages, policy: 'fail', approval: 'skip', replay: 'skip', record: 'skip' },
      }),
      /recorded policy\.forbidden, derived permit|evidence\.policy/,
    ],
    [
      'names another agent',
      'other',
      () => ({ agent: 'spiffe://test.local/agent/scapegoat' }),
      /agent is not what the decision found/,
    ],
    [
      'says that another policy decided',
      'other',
      ({ policy }) => ({ policy: { ...policy, determining: ['nobody'] } }),
      /policy is not what the decision found/,
    ],
    [
      'knows more of its log than was there',
      'other',
      ({ bounds }) => ({ bounds: { ...bounds, logSize: 9 } }),
      /knows more of its log than was there/,
    ],
    [
      'stood on governance knowledge that was too old',
      'other',
      ({ governance }) => ({
        governance: { ...governance, checkedAtMs: governance.checkedAtMs - 3_600_000 },
      }),
      /recorded permit, derived revocation\.stale/,
    ],
    [
      'stood on the governance log before the agent was enrolled',
      'other',
      ({ governance }) => ({ governance: { ...governance, size: 2 } }),
      /^governance: its entries are not the log/,
    ],
  ])('%s', (_name, bundle, change, problem) => {
    const report = lie(bundle, change);
    expect(report.verified).toBe(false);
    expect(report.problems).toContainEqual(expect.stringMatching(problem));
  });

  it('is believed where it says the same', () => {
    expect(lie('other', () => ({})).problems).toEqual([]);
  });
});

describe('what a bundle withholds', () => {
  it.each(['request', 'chain', 'policy', 'measurement'] as const)('%s: nothing is guessed', async (kind) => {
    const bundle = must(
      await bundleExecution(world.domain.home, world.ids.grandchild, { withhold: new Set([kind]) }),
    );
    const report = check(bundle);
    expect(report).toMatchObject({ verified: true, problems: [], withheld: [kind] });
    expect(report.executions[0]?.rederived).toBe('withheld');
  });

  it('an outcome that the bundle says there was none of is unknown', () => {
    const report = check({
      ...bundleOf('root'),
      executions: bundleOf('root').executions.map((execution) => ({ ...execution, outcome: null })),
    });
    expect(report.verified).toBe(true);
    expect(report.executions[0]?.outcome).toBeUndefined();
  });
});
