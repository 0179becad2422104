import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, nowSeconds, WRITE } from '../../../test/support/trust-domain.ts';
import { canonicalize, digestOf, type JsonObject } from '../../codec/index.ts';
import { SigningKey } from '../../key/index.ts';
import type { BundledExecution, DecisionReceipt, EvidenceBundle } from '../../receipt/index.ts';
import {
  COSIGNATURE_V1,
  formatCheckpoint,
  formatVkey,
  leafHash,
  MerkleTree,
  noteCosigner,
  noteSigner,
  noteVerifier,
  parseVkey,
  parseWitnessPolicy,
  signatureLine,
  signNote,
} from '../../tlog/index.ts';
import { bundleExecution, bundleLineage } from './bundle-execution.ts';
import { type EvidenceVerifier, verifyEvidence } from './verify-evidence.ts';
import { makeWorld, type World } from './world.test-support.ts';

let world: World;
let elsewhere: World;
const bundles = new Map<string, EvidenceBundle>();

beforeAll(async () => {
  [world, elsewhere] = await Promise.all([makeWorld(), makeWorld()]);
  for (const [name, id] of Object.entries(world.ids)) {
    bundles.set(name, must(await bundleExecution(world.domain.home, id)));
  }
  bundles.set('lineage', must(await bundleLineage(world.domain.home, world.ids.grandchild)));
}, 60_000);
afterAll(() => {
  world?.domain.dispose();
  elsewhere?.domain.dispose();
});

const bundleOf = (name: string): EvidenceBundle => {
  const bundle = bundles.get(name);
  if (bundle === undefined) throw new TypeError(name);
  return structuredClone(bundle);
};
const check = (bundle: unknown, keys: Partial<ConstructorParameters<typeof EvidenceVerifier>[0]> = {}) =>
  verifyEvidence(JSON.stringify(bundle), { logs: [world.fs], ...keys });

type Draft = {
  -readonly [K in keyof EvidenceBundle]: EvidenceBundle[K];
};

const at = (bundle: EvidenceBundle, index: number): BundledExecution => {
  const execution = bundle.executions[index];
  if (execution === undefined) throw new TypeError(`no execution ${index}`);
  return execution;
};
/** The bundle with one execution other. */
const withExecution = (name: string, index: number, change: (execution: BundledExecution) => object) => {
  const bundle: Draft = bundleOf(name);
  bundle.executions = bundle.executions.map((execution, each) =>
    each === index ? ({ ...execution, ...change(execution) } as BundledExecution) : execution,
  );
  return bundle;
};
const receiptOf = ({ decision }: BundledExecution): DecisionReceipt =>
  JSON.parse(Buffer.from(decision.entry, 'base64').toString('utf8')) as DecisionReceipt;
const without = (name: string, index: number, member: string) => {
  const bundle: Draft = bundleOf(name);
  bundle.executions = bundle.executions.map((execution, each) =>
    each === index
      ? (Object.fromEntries(Object.entries(execution).filter(([key]) => key !== member)) as never)
      : execution,
  );
  return bundle;
};
const withEvidence = (kind: keyof DecisionReceipt['evidence'], change: (part: JsonObject) => unknown) => {
  const bundle: Draft = bundleOf('grandchild');
  const address = receiptOf(at(bundle, 0)).evidence[kind] ?? '';
  const part = change(bundle.evidence[address] as JsonObject);
  bundle.evidence = Object.fromEntries(
    Object.entries({ ...bundle.evidence, [address]: part }).filter(([, value]) => value !== undefined),
  ) as EvidenceBundle['evidence'];
  return bundle;
};
const withGovernance = (name: string, change: Partial<EvidenceBundle['governance']>) => {
  const bundle = bundleOf(name);
  return { ...bundle, governance: { ...bundle.governance, ...change } };
};
const foreign = async (): Promise<EvidenceBundle> =>
  must(await bundleExecution(elsewhere.domain.home, elsewhere.ids.grandchild));

/** The governance log with other entries, signed by a key of the forger's own. */
function forgedGovernance(entries: readonly string[], forger = SigningKey.generate()) {
  const name = 'test.local/governance';
  const tree = new MerkleTree();
  for (const entry of entries) tree.append(leafHash(Buffer.from(entry)));
  const head = { origin: name, size: entries.length, rootHash: tree.root() };
  return {
    vkey: formatVkey(name, forger.publicKey),
    checkpoint: signNote(formatCheckpoint(head), [noteSigner(name, forger)]),
    consistency: [],
    entries,
  };
}

const OTHER_BOOT = '00000000-0000-4000-8000-000000000000';

describe('a bundle that was tampered with is refused, and the part named', () => {
  const withProof = (proof: string) => (execution: BundledExecution) => ({
    decision: { ...execution.decision, proof },
  });
  const flipped = (text: string) => `${text.slice(0, 40)}${text[40] === 'A' ? 'B' : 'A'}${text.slice(41)}`;

  it.each<[string, () => unknown, RegExp]>([
    // Removed.
    ['without executions', () => ({ ...bundleOf('root'), executions: [] }), /bundle: .*executions/],
    ['without governance', () => ({ ...bundleOf('root'), governance: undefined }), /governance is missing/],
    ['without its decision', () => without('root', 0, 'decision'), /bundle: .*executions/],
    ['without its outcome', () => without('root', 0, 'outcome'), /^outcome: it is missing/],
    ['without its salt', () => without('root', 0, 'salt'), /^salt: it is missing/],
    ['without its anchor', () => without('root', 0, 'anchor'), /^evidence\.anchor: it is missing/],
    [
      'without its request',
      () => withEvidence('request', () => undefined),
      /^evidence\.request: it is missing/,
    ],
    ['without its chain', () => withEvidence('chain', () => undefined), /^evidence\.chain: it is missing/],
    ['without its policy', () => withEvidence('policy', () => undefined), /^evidence\.policy: it is missing/],
    [
      'without its measurement',
      () => withEvidence('measurement', () => undefined),
      /^evidence\.measurement: it is missing/,
    ],
    [
      'without its root',
      () => ({ ...bundleOf('grandchild'), executions: bundleOf('grandchild').executions.slice(0, 2) }),
      /^ancestor .*: lineage: its parent .* is missing/,
    ],
    [
      'without its parent',
      () => ({ ...bundleOf('grandchild'), executions: bundleOf('grandchild').executions.slice(0, 1) }),
      /^lineage: its parent .* is missing/,
    ],
    [
      "without an ancestor's outcome",
      () => without('grandchild', 2, 'outcome'),
      /^ancestor .*: outcome: it is missing/,
    ],
    [
      'without the newest governance event',
      () => withGovernance('grandchild', { entries: bundleOf('grandchild').governance.entries.slice(0, -1) }),
      /^governance: the decision stood on/,
    ],
    [
      'without the consistency proof',
      () => withGovernance('root', { consistency: [] }),
      /^governance: its checkpoint does not cover/,
    ],
    [
      'a lineage without an execution in its middle',
      () => ({
        ...bundleOf('lineage'),
        executions: bundleOf('lineage').executions.filter(
          (execution) => receiptOf(execution).id !== world.ids.child,
        ),
      }),
      /^execution .*: lineage: its parent .* is missing/,
    ],
    [
      'a lineage without its root',
      () => ({ ...bundleOf('lineage'), executions: bundleOf('lineage').executions.slice(1) }),
      /lineage: it is not the root/,
    ],
    // Altered.
    [
      'another entry',
      () =>
        withExecution('root', 0, ({ decision }) => ({
          decision: {
            ...decision,
            entry: Buffer.from(
              canonicalize({ ...receiptOf(at(bundleOf('root'), 0)), agent: 'spiffe://x/y' } as never),
            ).toString('base64'),
          },
        })),
      /^decision: inclusion proof/,
    ],
    [
      'another proof',
      () =>
        withExecution('grandchild', 0, ({ decision: { proof } }) =>
          withProof(flipped(proof))(at(bundleOf('grandchild'), 0)),
        ),
      /^decision: /,
    ],
    [
      'an altered policy',
      () => withEvidence('policy', (policy) => ({ ...policy, id: 'other' })),
      /^evidence\.policy: not the bundle/,
    ],
    [
      'an altered measurement',
      () => withEvidence('measurement', (part) => ({ ...part, measuredAt: 1 })),
      /^evidence\.measurement: not the environment/,
    ],
    [
      'a measurement of another boot',
      () => withEvidence('measurement', (part) => ({ ...part, bootId: OTHER_BOOT })),
      /^evidence\.measurement: not the environment/,
    ],
    [
      'a measurement by another collector',
      () =>
        withEvidence('measurement', (part) => ({
          ...part,
          type: 'writ/measurement@v2',
          components: (part.components as JsonObject[]).map((one) => ({ ...one, collector: 'other' })),
        })),
      /^evidence\.measurement: not the environment/,
    ],
    [
      'a receipt that states another measurement',
      () =>
        withExecution('grandchild', 0, (execution) => {
          const receipt = receiptOf(execution);
          const environment = { ...receipt.environment, statement: digestOf('another') };
          const entry = Buffer.from(canonicalize({ ...receipt, environment } as never)).toString('base64');
          return { decision: { ...execution.decision, entry } };
        }),
      /^decision: /,
    ],
    [
      'an altered request',
      () => withEvidence('request', (part) => ({ ...part, tool: WRITE })),
      /^evidence\.request: not the tool/,
    ],
    ['an altered chain', () => withEvidence('chain', () => ['x.y.z']), /^evidence\.chain: not the artifact/],
    [
      'an altered governance event',
      () =>
        withGovernance('root', {
          entries: bundleOf('root').governance.entries.map((entry) =>
            entry.replace('agent/worker', 'agent/mallory'),
          ),
        }),
      /^governance: its entries are not the log/,
    ],
    [
      'an altered governance checkpoint',
      () =>
        withGovernance('root', {
          checkpoint: bundleOf('root').governance.checkpoint.replace(/\n\d+\n/, '\n99\n'),
        }),
      /^governance: its checkpoint: /,
    ],
    [
      'another subject',
      () => ({ ...bundleOf('root'), about: { execution: world.ids.other } }),
      /^decision: it is of another execution/,
    ],
    [
      'another root',
      () => ({ ...bundleOf('lineage'), about: { lineage: world.ids.other } }),
      /lineage: it is not the root/,
    ],
    // Swapped with another that is valid in its place.
    [
      'the decision of another execution',
      () => withExecution('root', 0, () => ({ decision: at(bundleOf('other'), 0).decision })),
      /^decision: it is of another execution/,
    ],
    [
      'the outcome of another execution',
      () => withExecution('root', 0, () => ({ outcome: at(bundleOf('other'), 0).outcome })),
      /^outcome: it is of another execution/,
    ],
    [
      "an ancestor's outcome exchanged",
      () => withExecution('grandchild', 2, () => ({ outcome: at(bundleOf('other'), 0).outcome })),
      /^ancestor .*: outcome: it is of another execution/,
    ],
    [
      'the salt of another execution',
      () => withExecution('root', 0, () => ({ salt: at(bundleOf('other'), 0).salt })),
      /^evidence\.request: not the arguments/,
    ],
    [
      'an ancestor exchanged for another permitted execution of the same chain',
      () =>
        withExecution('grandchild', 2, () => ({
          decision: at(bundleOf('other'), 0).decision,
          outcome: at(bundleOf('other'), 0).outcome,
        })),
      /^ancestor .*: lineage: its parent is .*, and the bundle has/,
    ],
    [
      'the parent exchanged',
      () => {
        const bundle: Draft = bundleOf('grandchild');
        bundle.executions = [at(bundle, 0), at(bundle, 2)];
        return bundle;
      },
      /^lineage: its parent is .*, and the bundle has/,
    ],
    [
      'an execution more than the path has',
      () => ({ ...bundleOf('root'), executions: [at(bundleOf('root'), 0), at(bundleOf('other'), 0)] }),
      /^lineage: it has no parent, and the bundle goes on/,
    ],
    [
      'an execution that is of another lineage',
      () => ({
        ...bundleOf('lineage'),
        executions: [...bundleOf('lineage').executions, at(bundleOf('other'), 0)],
        evidence: { ...bundleOf('lineage').evidence, ...bundleOf('other').evidence },
      }),
      /^execution .*: lineage: it is not of the lineage/,
    ],
    [
      'an execution twice',
      () => ({
        ...bundleOf('lineage'),
        executions: [...bundleOf('lineage').executions, at(bundleOf('lineage'), 1)],
      }),
      /^execution .*: lineage: the execution is here twice/,
    ],
    [
      'an older governance log: the one before the revocation, as it was signed then',
      () => ({ ...bundleOf('revoked'), governance: bundleOf('root').governance }),
      /^governance: the decision stood on/,
    ],
    [
      'a governance log with the revocation left out',
      () =>
        withGovernance(
          'revoked',
          forgedGovernance(
            bundleOf('revoked').governance.entries.map((entry) =>
              entry.includes('"revoked"') ? (bundleOf('revoked').governance.entries[0] ?? '') : entry,
            ),
          ),
        ),
      /^governance: its entries are not the log that the decision stood on/,
    ],
    [
      'what is withheld and there',
      () => withExecution('root', 0, () => ({ withheld: ['policy'] })),
      /^evidence\.policy: the bundle says that it is withheld/,
    ],
    [
      'evidence of an ancestor',
      () => withExecution('grandchild', 1, () => ({ salt: at(bundleOf('root'), 0).salt })),
      /^ancestor .*: evidence: an ancestor has none/,
    ],
  ])('%s', (_name, bundle, problem) => {
    const report = check(bundle());
    expect(report.verified).toBe(false);
    expect(report.problems).toContainEqual(expect.stringMatching(problem));
  });

  it('each part of another domain', async () => {
    const other = await foreign();
    const own = bundleOf('grandchild');
    const swap = (change: Partial<EvidenceBundle>) => check({ ...own, ...change }).problems;
    expect(swap({ governance: other.governance })).toContain(
      'governance: its entries are not the log that the decision stood on',
    );
    expect(swap({ evidence: other.evidence })).toContain('evidence.policy: it is missing');
    expect(swap({ executions: other.executions }).join()).toMatch(/^decision: /);
    // Its own log's name and key are another's, too: what is signed by somebody else is not taken.
    expect(swap({ executions: [at(own, 0), at(other, 1), at(own, 2)] }).join()).toMatch(
      /ancestor number 1: decision: /,
    );
    expect(check(other).verified).toBe(false);
    expect(check(other, { logs: [elsewhere.fs] }).verified).toBe(true);
  });

  it('a governance log of another key than the one expected', () => {
    const expected = must(parseVkey(world.domain.home.governanceVkey));
    const other = must(parseVkey(elsewhere.domain.home.governanceVkey));
    expect(check(bundleOf('root'), { governance: expected }).problems).toEqual([]);
    const [problem] = check(bundleOf('root'), { governance: other }).problems;
    expect(problem).toMatch(/^governance key: /);
    // Signed by a forger over the genuine entries: the decision stood on them, and the domain did not sign them.
    const forged = withGovernance('root', forgedGovernance(bundleOf('root').governance.entries));
    expect(check(forged, { governance: expected }).problems.join()).toMatch(/^governance key: /);
  });

  it('a log that nobody vouches for, and no log at all', () => {
    const { publicKey } = SigningKey.generate();
    const unenrolled = noteVerifier('test.local/execution/fs', publicKey);
    expect(check(bundleOf('root'), { logs: [unenrolled] }).problems.join()).toMatch(/^decision: /);
    expect(check(bundleOf('root'), { logs: [] }).problems).toContain(
      'log key: the key of its log test.local/execution/fs is not known',
    );
    // The governance key alone finds the keys of the logs it enrolled.
    const governance = must(parseVkey(world.domain.home.governanceVkey));
    expect(check(bundleOf('grandchild'), { logs: [], governance }).problems).toEqual([]);
    // A forged governance log that enrolls a forger's log is vouched for by nobody.
    const entries = [...bundleOf('grandchild').governance.entries];
    const forged = withGovernance('grandchild', forgedGovernance(entries));
    expect(check(forged, { logs: [] }).problems.join()).toMatch(/log key: the key of its log/);
  });

  it('checkpoints that too few witnesses cosigned', () => {
    const witness = SigningKey.generate();
    const vkey = formatVkey('witness.example', witness.publicKey, COSIGNATURE_V1);
    const witnesses = must(parseWitnessPolicy(`witness w1 ${vkey}\nquorum w1\n`));
    expect(check(bundleOf('root'), { witnesses }).problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^witnesses: the checkpoint of .*execution\/fs lacks w1/),
      ]),
    );
    const signer = noteCosigner('witness.example', witness, nowSeconds);
    const cosigned = (note: string) => {
      const text = note.slice(0, note.indexOf('\n\n') + 1);
      return `${note}${signatureLine(text, signer)}`;
    };
    const proofOf = (proof: string) => {
      const cut = proof.indexOf('\n\n') + 2;
      return `${proof.slice(0, cut)}${cosigned(proof.slice(cut))}`;
    };
    const entry = <T extends BundledExecution['decision']>(bundled: T): T => ({
      ...bundled,
      proof: proofOf(bundled.proof),
    });
    const bundle = withExecution('root', 0, ({ decision, outcome }) => ({
      decision: entry(decision),
      outcome: outcome && entry(outcome),
    }));
    const { governance } = bundle;
    expect(check(bundle, { witnesses }).problems).toEqual([
      expect.stringMatching(/^witnesses: the checkpoint of test\.local\/governance lacks w1/),
    ]);
    const whole = { ...bundle, governance: { ...governance, checkpoint: cosigned(governance.checkpoint) } };
    expect(check(whole, { witnesses }).problems).toEqual([]);
  });
});
