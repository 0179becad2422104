import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, TestDomain } from '../../test/support/trust-domain.ts';
import { canonicalize, type JsonObject, type JsonValue } from '../codec/index.ts';
import { readKeyFile, SigningKey } from '../key/index.ts';
import { COSIGNATURE_V1, type NoteVerifier, noteSigner, noteVerifier, signNote } from '../tlog/index.ts';
import {
  type BundledExecution,
  formatStatement,
  isSigstoreBundle,
  openEnvelope,
  parseStatement,
  SIGSTORE_BUNDLE,
  signEnvelope,
  verifyAttestation,
} from './index.ts';

type Json = Record<string, JsonValue>;

let domain: TestDomain;
let genuine: BundledExecution;
let other: BundledExecution;
let signer: SigningKey;
let logKey: NoteVerifier;
const mallory = SigningKey.generate();

beforeAll(async () => {
  domain = await TestDomain.create();
  const { governor, audience, close } = await domain.open();
  const run = async () => {
    const effect = async () => ({ status: 'succeeded', value: 1, evidence: Buffer.from('result') }) as const;
    return (await governor.run(domain.call([domain.issue()], { audience }), effect)).executionId;
  };
  const ids = [await run(), await run()];
  await governor.settle();
  await close();
  const executionOf = async (id = '') => (await domain.bundle(id)).executions[0];
  genuine = (await executionOf(ids[0])) as BundledExecution;
  other = (await executionOf(ids[1])) as BundledExecution;
  signer = must(readKeyFile(domain.home.logKeyFile('fs')));
  logKey = noteVerifier(domain.home.executionOrigin('fs'), signer.publicKey);
});
afterAll(() => domain?.dispose());

const statement = (): Json => JSON.parse(Buffer.from(must(formatStatement(genuine))).toString('utf8'));

/** A Statement in an envelope, signed with the log's own key unless told otherwise. */
function attestationOf(content: JsonValue, by = signer): JsonObject {
  const { payload, payloadType, signatures } = signEnvelope(Buffer.from(canonicalize(content)), by, 'fs');
  return {
    mediaType: SIGSTORE_BUNDLE,
    verificationMaterial: {},
    dsseEnvelope: { payload, payloadType, signatures: signatures.map((signature) => ({ ...signature })) },
  };
}

const check = (attestation: JsonValue, key = logKey) => verifyAttestation(JSON.stringify(attestation), key);

function expectProblem(attestation: JsonValue, problem: string, key = logKey): void {
  const report = check(attestation, key);
  expect(report.verified).toBe(false);
  expect(report.problems.join('\n')).toContain(problem);
}

/** The genuine Statement with another predicate, and subjects to fit. */
function about(receipts: Pick<BundledExecution, 'decision' | 'outcome'>): JsonValue {
  return JSON.parse(Buffer.from(must(formatStatement(receipts))).toString('utf8'));
}

describe('verifyAttestation', () => {
  it('verifies what the execution log signed, and says what it did not check', () => {
    const report = check(attestationOf(statement()));
    expect(report).toMatchObject({
      verified: true,
      problems: [],
      executions: [{ decision: { verdict: 'permit' } }],
    });
    expect(report.withheld).toContain('transparency log entry');
    expect(report.withheld).toContain('request');
  });

  it('refuses another signer, whatever the Statement says', () => {
    expectProblem(attestationOf(statement(), mallory), 'signature of the envelope');
    const key = noteVerifier(logKey.name, mallory.publicKey);
    // Its own signature, but the proofs in it are the real log's.
    expectProblem(attestationOf(statement(), mallory), 'not signed by', key);
  });

  it('refuses a witness key', () => {
    const witness = noteVerifier(logKey.name, signer.publicKey, COSIGNATURE_V1);
    expectProblem(attestationOf(statement()), 'witness', witness);
  });

  it('refuses a receipt that is not in the execution log, though its key signed the Statement', () => {
    const entry = JSON.parse(Buffer.from(genuine.decision.entry, 'base64').toString('utf8'));
    const forged = canonicalize({ ...entry, tool: 'mcp://fs/tools/never_called' });
    const decision = { ...genuine.decision, entry: Buffer.from(forged).toString('base64') };
    expectProblem(attestationOf(about({ decision })), 'inclusion proof');
  });

  it('refuses receipts that do not belong together', () => {
    const { outcome } = other;
    expectProblem(
      attestationOf(about({ decision: genuine.decision, ...(outcome && { outcome }) })),
      'outcome:',
    );
  });

  it('refuses a proof of another entry', () => {
    const decision = { entry: genuine.decision.entry, proof: other.decision.proof };
    expectProblem(attestationOf(about({ decision })), 'inclusion proof');
  });

  it('refuses subjects that are not the receipts', () => {
    const { subject } = statement() as { subject: Json[] };
    const digest = { sha256: '0'.repeat(64) };
    for (const wrong of [
      [],
      subject.slice(0, 1),
      [...subject].reverse(),
      [...subject, { name: 'more', digest }],
      subject.map((one) => ({ ...one, digest })),
      subject.map((one) => ({ ...one, uri: 'https://elsewhere.example/' })),
      'decision.json',
    ]) {
      expectProblem(attestationOf({ ...statement(), subject: wrong }), 'subjects');
    }
  });

  it('refuses members that nobody checks, and Statements of other kinds', () => {
    const { predicate } = statement() as { predicate: Json };
    const { decision } = predicate as { decision: Json };
    for (const wrong of [
      { ...statement(), note: 'approved by ada' },
      { ...statement(), predicate: { ...predicate, approvedBy: 'ada' } },
      { ...statement(), predicate: { ...predicate, decision: { ...decision, note: 'x' } } },
      { ...statement(), predicate: { outcome: predicate.outcome ?? null } },
      { ...statement(), predicate: { ...predicate, outcome: null } },
      { ...statement(), predicate: { ...predicate, decision: { ...decision, proof: 1 } } },
      { ...statement(), predicate: [] },
      { ...statement(), predicateType: 'https://slsa.dev/provenance/v1' },
      { ...statement(), _type: 'https://in-toto.io/Statement/v0.1' },
      [],
      null,
    ] as JsonValue[]) {
      expectProblem(attestationOf(wrong), 'attestation:');
    }
  });

  it('refuses an envelope of another type, with a second signature, or none', () => {
    const attestation = attestationOf(statement()) as { dsseEnvelope: Json };
    const { dsseEnvelope } = attestation;
    const { payload, signatures } = dsseEnvelope as { payload: string; signatures: Json[] };
    const [signature = {}] = signatures;
    for (const wrong of [
      undefined,
      null,
      [],
      { ...dsseEnvelope, payloadType: 'application/json' },
      { ...dsseEnvelope, signatures: [] },
      { ...dsseEnvelope, signatures: [signature, signature] },
      { ...dsseEnvelope, signatures: [null] },
      { ...dsseEnvelope, signatures: signature },
      { ...dsseEnvelope, signatures: [{ ...signature, sig: '' }] },
      { ...dsseEnvelope, payload: `${payload}\n` },
      { ...dsseEnvelope, payload: 1 },
    ] as JsonValue[]) {
      const { dsseEnvelope: _, ...rest } = attestation;
      const report = check(wrong === undefined ? rest : { ...rest, dsseEnvelope: wrong });
      expect(report.verified, JSON.stringify(wrong)).toBe(false);
    }
  });

  it('never takes what a log signs as its checkpoint for an envelope', () => {
    const text = `${logKey.name}\n1\n${Buffer.alloc(32).toString('base64')}\n`;
    const note = signNote(text, [noteSigner(logKey.name, signer)]);
    const sig = Buffer.from(note.trimEnd().split(' ').at(-1) ?? '', 'base64').subarray(4);
    const payload = Buffer.from(text).toString('base64');
    const signatures = [{ sig: sig.toString('base64'), keyid: '' }];
    const envelope = { payload, payloadType: 'application/vnd.in-toto+json', signatures };
    expect(openEnvelope(envelope, signer.publicKey)).toMatchObject({ code: 'log.unavailable' });
  });

  it('stays clean whatever it is given', () => {
    for (const bytes of [
      '',
      '{',
      'null',
      '[]',
      '{}',
      '['.repeat(100_000),
      `{"mediaType":"${SIGSTORE_BUNDLE}"}`,
    ]) {
      expect(verifyAttestation(bytes, logKey)).toMatchObject({ verified: false });
      expect(verifyAttestation(bytes, logKey).problems).toHaveLength(1);
    }
  });
});

describe('isSigstoreBundle', () => {
  it('goes by the media type, not by what else a document speaks of', () => {
    const is = (json: JsonValue) => isSigstoreBundle(Buffer.from(JSON.stringify(json)));
    expect(is(attestationOf(statement()))).toBe(true);
    expect(is({ type: 'writ/bundle@v1', evidence: { mediaType: SIGSTORE_BUNDLE } })).toBe(false);
    expect(isSigstoreBundle(Buffer.from(SIGSTORE_BUNDLE))).toBe(false);
  });
});

describe('formatStatement', () => {
  it('says of receipts only what parses back to the entries, byte for byte', () => {
    const { decision, outcome } = genuine;
    const parsed = must(parseStatement(must(formatStatement(genuine))));
    expect(parsed).toEqual({ decision, outcome });
  });

  it('denies an entry that is not JSON in canonical form', () => {
    const entryOf = (text: string) => ({ entry: Buffer.from(text).toString('base64'), proof: '' });
    for (const text of ['{"b":1,"a":2}', '{"a": 1}', '{"a":1.0}', 'no JSON', '[]', '']) {
      expect(formatStatement({ decision: entryOf(text) })).toMatchObject({ code: 'log.unavailable' });
    }
  });
});
