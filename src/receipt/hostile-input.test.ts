import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type JsonObject, type JsonValue } from '../codec/index.ts';
import { isDenial, STAGES } from '../denial/index.ts';
import { SigningKey } from '../key/index.ts';
import { noteVerifier } from '../tlog/index.ts';
import {
  argumentsOfProof,
  BUNDLE,
  DECISION_RECEIPT,
  isRecordOf,
  OUTCOME_RECEIPT,
  parseBundle,
  parseDecisionReceipt,
  parseOutcomeReceipt,
  serializeReceipt,
  verifyBundle,
} from './index.ts';

const RUNS = { numRuns: 10_000, seed: 20261123 };
const DIGEST = `sha256:${'0'.repeat(64)}`;

const DECISION: JsonObject = {
  type: DECISION_RECEIPT,
  id: 'e',
  atMs: 1,
  log: 'l',
  audiences: ['a'],
  tool: 't',
  arguments: `salted-${DIGEST}`,
  verdict: 'deny',
  code: 'policy.forbidden',
  detail: 'd',
  stages: Object.fromEntries(STAGES.map((stage) => [stage, 'pass'])),
  artifact: { digest: DIGEST, issuer: 'i', tokenIds: ['j'], tokenHashes: ['h'], holders: ['k'] },
  proof: { jti: 'j', iatSeconds: 1 },
  agent: 'a',
  environment: { digest: DIGEST, assurance: 'self', measuredAtSeconds: 1 },
  toolDefinition: DIGEST,
  policy: { id: 'p', digest: DIGEST, determining: ['q'] },
  governance: { size: 1, rootHash: 'r', checkedAtMs: 1 },
  bounds: { maxStalenessSeconds: 1, maxLineageDepth: 1, logSize: 0 },
  lineage: { parent: 'p', root: 'r', depth: 1 },
  evidence: { request: 'x' },
};
const OUTCOME: JsonObject = {
  type: OUTCOME_RECEIPT,
  id: 'e',
  atMs: 1,
  log: 'l',
  decision: { index: 0, leafHash: 'h' },
  status: 'terminated',
  code: 'revocation.revoked',
  note: 'n',
  result: { digest: `salted-${DIGEST}`, bytes: 1 },
  durationMs: 1.5,
};
const BUNDLED: JsonObject = {
  type: BUNDLE,
  about: { execution: '' },
  executions: [
    {
      decision: { entry: '', proof: '' },
      outcome: { entry: '', proof: '' },
      withheld: ['policy'],
      anchor: { iss: '', jwk: {} },
      salt: '',
    },
  ],
  evidence: { ['A'.repeat(43)]: {}, ['B'.repeat(43)]: [''] },
  governance: { vkey: '', checkpoint: '', consistency: [''], entries: [''] },
};

/** Values that a parser may have forgotten about. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>,
  fc.constantFrom<JsonValue>(null, '', [], {}, -1, 1.5, 2 ** 60, true, 'deny', 'permit', [null], {
    digest: 1,
  }),
);

/** A document with one member, somewhere, replaced, dropped or added. */
function mutated(sound: JsonObject): fc.Arbitrary<JsonObject> {
  const paths = pathsOf(sound);
  return fc
    .record({ path: fc.constantFrom(...paths), value: odd, drop: fc.boolean(), extra: fc.boolean() })
    .map(({ path, value, drop, extra }) => {
      const copy = structuredClone(sound) as Record<string, unknown>;
      let holder = copy;
      for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
      const last = path.at(-1) ?? '';
      if (drop) delete holder[last];
      else holder[extra ? `${last}x` : last] = value;
      return copy as JsonObject;
    });
}

function pathsOf(value: JsonValue, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]));
  return path.length === 0 ? inner : [path, ...inner];
}

const bytesOf = (json: JsonValue) => Buffer.from(JSON.stringify(json));

/** Anything from noise over other JSON to documents that are nearly right. */
function hostile(sound: JsonObject): fc.Arbitrary<Uint8Array> {
  const text = JSON.stringify(sound);
  return fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
    { weight: 1, arbitrary: fc.json().map((json) => Buffer.from(json)) },
    { weight: 6, arbitrary: mutated(sound).map(bytesOf) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.nat(text.length), fc.nat(text.length), fc.string({ maxLength: 8 }))
        .map(([start, end, insert]) => Buffer.from(text.slice(0, start) + insert + text.slice(end))),
    },
  );
}

describe('parsers of receipts and bundles, given anything', () => {
  it('take the sound ones', () => {
    expect(parseDecisionReceipt(bytesOf(DECISION))).toEqual(DECISION);
    expect(parseOutcomeReceipt(bytesOf(OUTCOME))).toEqual(OUTCOME);
    expect(parseBundle(bytesOf(BUNDLED))).toEqual(BUNDLED);
  });

  it('decision receipts: a denial, or every member that code reads is of its type', () => {
    fc.assert(
      fc.property(hostile(DECISION), (bytes) => {
        const receipt = parseDecisionReceipt(bytes);
        if (isDenial(receipt)) return;
        expect(
          STAGES.map((stage) => receipt.stages[stage]).every((verdict) => /^(pass|fail|skip)$/.test(verdict)),
        ).toBe(true);
        expect(Object.keys(receipt.stages)).toHaveLength(STAGES.length);
        expect(receipt.verdict === 'deny').toBe(receipt.code !== undefined);
        const numbers = [
          receipt.atMs,
          receipt.governance.size,
          receipt.governance.checkedAtMs,
          receipt.bounds.maxLineageDepth,
        ];
        numbers.push(
          receipt.lineage?.depth ?? 0,
          receipt.proof?.iatSeconds ?? 0,
          receipt.bounds.logSize ?? 0,
        );
        expect(numbers.every(Number.isSafeInteger)).toBe(true);
        const strings = [
          receipt.id,
          receipt.log,
          receipt.tool,
          receipt.arguments,
          receipt.governance.rootHash,
        ];
        strings.push(
          receipt.proof?.jti ?? '',
          receipt.lineage?.root ?? '',
          receipt.lineage?.parent ?? '',
          receipt.agent ?? '',
        );
        strings.push(
          ...receipt.audiences,
          ...(receipt.artifact?.tokenHashes ?? []),
          ...Object.values(receipt.evidence),
        );
        strings.push(receipt.artifact?.issuer ?? '', receipt.artifact?.initiator?.id ?? '');
        strings.push(receipt.environment?.assurance ?? '', ...(receipt.policy?.determining ?? []));
        expect(strings.every((text) => typeof text === 'string')).toBe(true);
      }),
      RUNS,
    );
  });

  it('outcome receipts: a denial, or every member that code reads is of its type', () => {
    fc.assert(
      fc.property(hostile(OUTCOME), (bytes) => {
        const receipt = parseOutcomeReceipt(bytes);
        if (isDenial(receipt)) return;
        expect([receipt.atMs, receipt.decision.index].every(Number.isSafeInteger)).toBe(true);
        expect(Number.isFinite(receipt.durationMs)).toBe(true);
        expect(Number.isSafeInteger(receipt.result?.bytes ?? 0)).toBe(true);
        const strings = [receipt.id, receipt.log, receipt.decision.leafHash, receipt.note ?? ''];
        strings.push(receipt.result?.digest ?? '');
        expect(strings.every((text) => typeof text === 'string')).toBe(true);
      }),
      RUNS,
    );
  });

  it('bundles: a denial, or a shape in which nothing stands that nobody looks at', () => {
    const logKey = noteVerifier('l', SigningKey.fromSeed(Buffer.alloc(32, 1)).publicKey);
    fc.assert(
      fc.property(hostile(BUNDLED), (bytes) => {
        const bundle = parseBundle(bytes);
        // Nobody signed for any of these.
        expect(verifyBundle(bytes, { logs: [logKey] }).verified).toBe(false);
        if (isDenial(bundle)) return;
        expect(Object.keys(BUNDLED)).toEqual(expect.arrayContaining(Object.keys(bundle)));
        for (const execution of bundle.executions) {
          expect(['decision', 'outcome', 'withheld', 'anchor', 'salt']).toEqual(
            expect.arrayContaining(Object.keys(execution)),
          );
        }
        expect(Object.keys(BUNDLED.governance ?? {})).toEqual(
          expect.arrayContaining(Object.keys(bundle.governance)),
        );
      }),
      RUNS,
    );
  });

  it('proofs: arguments or nothing', () => {
    const payload = (json: JsonValue) => `h.${bytesOf(json).toString('base64url')}.s`;
    expect(argumentsOfProof(payload({ hta: { a: 1 } }))).toEqual({ a: 1 });
    fc.assert(
      fc.property(
        fc.oneof(
          odd,
          fc.string(),
          odd.map((hta) => payload({ hta })),
          odd.map(payload),
        ),
        (pop) => {
          const args = argumentsOfProof(pop);
          expect(args === undefined || (typeof args === 'object' && !Array.isArray(args))).toBe(true);
        },
      ),
      RUNS,
    );
  });
});

describe('serializeReceipt', () => {
  const text = fc.oneof(
    fc
      .constantFrom('\u0001', '"', '\u{1f600}', 'ä', '\ud800', 'x')
      .chain((unit) => fc.nat(3000).map((length) => unit.repeat(length))),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const list = fc.array(text, { maxLength: 80 });

  it('fits an entry and reads back, whatever callers and issuers called things', () => {
    const receipt = fc.record({
      tool: text,
      detail: text,
      ids: list,
      names: list,
      owner: text,
      parent: text,
    });
    fc.assert(
      fc.property(receipt, ({ tool, detail, ids, names, owner, parent }) => {
        const whole = {
          ...DECISION,
          ...{ tool, detail, agent: owner, lineage: { parent, root: 'r', depth: 1 } },
          artifact: {
            ...{
              digest: DIGEST,
              issuer: owner,
              tokenIds: ids.slice(0, 9),
              tokenHashes: ['h'],
              holders: ['k'],
            },
            ...{ attribution: { owner, onBehalfOf: names }, purpose: owner, reference: owner },
          },
          policy: { id: owner, digest: DIGEST, determining: names },
          proof: { jti: parent, iatSeconds: 1 },
        };
        const entry = serializeReceipt(whole);
        expect(entry.byteLength).toBeLessThanOrEqual(65_535);
        const read = parseDecisionReceipt(entry);
        expect(isDenial(read) ? read.detail : read.id).toBe('e');
        if (!isDenial(read)) {
          expect(isRecordOf(read, whole)).toBe(true);
          expect(read.policy?.digest).toBe(DIGEST);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('leaves an ordinary receipt as it is', () => {
    expect(Buffer.from(serializeReceipt(DECISION)).toString('utf8')).toBe(canonicalize(DECISION));
    expect(isRecordOf(DECISION, { ...DECISION, tool: 'other' })).toBe(false);
  });
});
