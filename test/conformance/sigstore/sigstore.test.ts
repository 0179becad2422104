import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { VerificationError } from '@sigstore/verify';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, type JsonObject } from '../../../src/codec/index.ts';
import { AttestedDomain, EXECUTIONS, entryOf, payloadOf } from './attested-domain.ts';
import { type Draft, flip, TAMPERINGS } from './tamperings.ts';

let world: AttestedDomain;
beforeAll(async () => {
  world = await AttestedDomain.create();
});
afterAll(() => world?.dispose());

const sha256Of = (bytes: Uint8Array | undefined) => digestOf(bytes ?? '').replace('sha256:', '');

function draft(): Draft {
  const bundle = world.bundle();
  const entry = entryOf(bundle);
  return { world, bundle, entry, proof: entry.inclusionProof, trust: { ...world.trust } };
}

describe('stock @sigstore/verify', () => {
  it('accepts every receipt that was exported', () => {
    for (let index = 0; index < EXECUTIONS; index += 1) {
      expect(() => world.verify(world.bundle(index)), `entry ${index}`).not.toThrow();
      expect(world.entry(index).logIndex).toBe(String(index));
    }
    expect(world.entry().inclusionProof.hashes).toHaveLength(2);
  });

  it('needs one TrustedRoot for all exports of a domain', () => {
    expect(new Set(world.attested.map(({ trustedRoot }) => JSON.stringify(trustedRoot))).size).toBe(1);
  });

  it.each(TAMPERINGS)('refuses %s', (_, code, tamper) => {
    const tampered = draft();
    expect(() => world.verify(tampered.bundle, tampered.trust)).not.toThrow();
    tamper(tampered);
    let refusal: unknown;
    try {
      world.verify(tampered.bundle, tampered.trust);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(VerificationError);
    expect(refusal).toMatchObject({ code });
  });

  it('does not look at members on which its answer does not rest, so nobody should read them', () => {
    const { bundle, entry, proof } = draft();
    entry.logIndex = '7';
    proof.treeSize = '99';
    proof.rootHash = flip(proof.rootHash);
    bundle.dsseEnvelope.signatures[0].keyid = 'anybody';
    expect(() => world.verify(bundle)).not.toThrow();
  });
});

describe('docs/verify-with-other-tools.md', () => {
  it('shows a program that verifies an export, and fails where it was tampered with', async () => {
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const page = readFileSync(join(root, 'docs/verify-with-other-tools.md'), 'utf8');
    const [, program = ''] = /^```js\n(.*?)^```$/ms.exec(page) ?? [];
    const { folder } = world.domain;
    writeFileSync(join(folder, 'verify.mjs'), program);
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const run = () => promisify(execFile)(process.execPath, ['verify.mjs'], { cwd: folder });

    const { decision, outcome } = world.at(-1).subjects;
    expect((await run()).stdout.split('\n')).toEqual([
      'permit mcp://fs/tools/write_file',
      `${sha256Of(decision)}  attestation/decision.json`,
      `${sha256Of(outcome)}  attestation/outcome.json`,
      '',
    ]);

    const file = join(world.folder, 'receipt.sigstore.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, JSON.stringify({ ...world.bundle(), dsseEnvelope: world.bundle(0).dsseEnvelope }));
    await expect(run()).rejects.toThrow('tlog entry signature mismatch');
    writeFileSync(file, text);
  });
});

describe('the Statement', () => {
  const statement = (index?: number): JsonObject => JSON.parse(payloadOf(world.bundle(index)));

  it('is about the receipts, byte for byte as the execution log holds them', () => {
    const { decision, outcome } = world.at(-1).subjects;
    expect(statement().subject).toEqual([
      { name: 'decision.json', digest: { sha256: sha256Of(decision) } },
      { name: 'outcome.json', digest: { sha256: sha256Of(outcome) } },
    ]);
    const { predicate } = statement() as { predicate: { decision: { receipt: JsonObject } } };
    expect(predicate.decision.receipt).toEqual(JSON.parse(Buffer.from(decision).toString('utf8')));
  });

  it('has the form that spec/attestation.schema.json says', () => {
    const schema = (name: string) =>
      JSON.parse(readFileSync(new URL(`../../../spec/${name}`, import.meta.url), 'utf8'));
    const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false });
    ajv.addSchema(schema('receipt.schema.json'));
    const validate = ajv.compile(schema('attestation.schema.json'));
    for (let index = 0; index < EXECUTIONS; index += 1) {
      expect(validate(statement(index)), JSON.stringify(validate.errors)).toBe(true);
    }
    for (const wrong of [
      { ...statement(), predicateType: 'https://slsa.dev/provenance/v1' },
      { ...statement(), subject: [] },
      { ...statement(), predicate: {} },
      { ...statement(), extra: 1 },
    ]) {
      expect(validate(wrong), JSON.stringify(wrong)).toBe(false);
    }
  });
});

describe('writ receipt export', () => {
  it('hands out the key that signed, as OpenSSL reads it', () => {
    expect(readFileSync(join(world.folder, 'log-key.pem'), 'utf8')).toBe(world.at(-1).signer.toPem());
    expect(world.files).toEqual([
      'receipt.sigstore.json',
      'trusted_root.json',
      'log-key.pem',
      'decision.json',
      'outcome.json',
    ]);
  });
});
