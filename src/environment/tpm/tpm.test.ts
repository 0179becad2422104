import { createSign, generateKeyPairSync, privateDecrypt, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAttestationKey } from './attestation-key.ts';
import { attesterOf, type TpmAttester, type TpmRecord } from './attester.ts';
import { verifyEndorsement } from './endorsement-certificate.ts';
import { parseEndorsementKey } from './endorsement-key.ts';
import { makeCredential } from './make-credential.ts';
import { ATTRIBUTE, parsePublicArea } from './public-area.ts';
import { parseQuoteAttestation } from './quote-attestation.ts';
import { findQuoteProblem, QUOTE_PROBLEMS, qualifyingData } from './verify-quote.ts';

/** As recorded from a swtpm by `test/vectors/record-tpm-quotes.ts`. */
const recorded = JSON.parse(
  readFileSync(new URL('../../../test/vectors/tpm-quotes.json', import.meta.url), 'utf8'),
);
const SCHEMES = ['ecdsa', 'rsassa', 'rsapss'] as const;
const bytes = (text: string) => Buffer.from(text, 'base64url');
const data = bytes(recorded.data);

function recordOf(scheme: (typeof SCHEMES)[number], change: Partial<TpmRecord> = {}): TpmRecord {
  const { key, qualifiedName } = recorded.quotes[scheme];
  const { pcrs, resetCount, restartCount } = recorded;
  return {
    ...{ key, qualifiedName, pcrs, resetCount, restartCount, boot: 'exact', maxAgeSeconds: 60 },
    ...{ certificate: '', root: '' },
    ...change,
  };
}

function attester(scheme: (typeof SCHEMES)[number], change: Partial<TpmRecord> = {}): TpmAttester {
  const read = attesterOf(recordOf(scheme, change));
  if (typeof read === 'string') throw new Error(read);
  return read;
}

function quoteOf(scheme: (typeof SCHEMES)[number]) {
  const { attestation, signature } = recorded.quotes[scheme];
  return { attestation: bytes(attestation), signature: bytes(signature) };
}

/** One way to spoil bytes that are in order. */
const spoiling = (length: number) =>
  fc.oneof(
    fc.record({ at: fc.nat(length - 1), bit: fc.nat(7) }).map(({ at, bit }) => (original: Buffer) => {
      const spoilt = Buffer.from(original);
      spoilt.writeUInt8((spoilt.readUInt8(at) ^ (1 << bit)) & 0xff, at);
      return spoilt;
    }),
    fc.nat(length - 1).map((at) => (original: Buffer) => original.subarray(0, at)),
    fc
      .uint8Array({ minLength: 1, maxLength: 4 })
      .map((more) => (original: Buffer) => Buffer.concat([original, more])),
    fc.record({ at: fc.nat(length - 1), more: fc.uint8Array({ minLength: 1, maxLength: 4 }) }).map(
      ({ at, more }) =>
        (original: Buffer) =>
          Buffer.concat([original.subarray(0, at), more, original.subarray(at)]),
    ),
  );

/** Adding bytes that repeat what is there changes nothing. */
const isOther = (left: Buffer, right: Buffer) => !left.equals(right);

describe.each(SCHEMES)('a quote signed with %s', (scheme) => {
  const quote = quoteOf(scheme);

  it('is accepted as it was recorded', () => {
    expect(findQuoteProblem(quote, attester(scheme), data)).toBeUndefined();
  });

  it('is refused when anything about its bytes is changed', () => {
    const { attestation, signature } = quote;
    const known = attester(scheme);
    fc.assert(
      fc.property(spoiling(attestation.byteLength), (spoil) => {
        const spoilt = spoil(attestation);
        fc.pre(isOther(spoilt, attestation));
        expect(findQuoteProblem({ attestation: spoilt, signature }, known, data)).toBeTypeOf('string');
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(spoiling(signature.byteLength), (spoil) => {
        const spoilt = spoil(signature);
        fc.pre(isOther(spoilt, signature));
        expect(findQuoteProblem({ attestation, signature: spoilt }, known, data)).toBeTypeOf('string');
      }),
      { numRuns: 400 },
    );
  });

  it('is refused for another key, or when its key is changed in any way', () => {
    for (const other of SCHEMES.filter((one) => one !== scheme)) {
      expect(findQuoteProblem(quote, attester(other), data)).toBe(QUOTE_PROBLEMS.signature);
    }
    const key = bytes(recorded.quotes[scheme].key);
    fc.assert(
      fc.property(spoiling(key.byteLength), (spoil) => {
        const spoilt = spoil(key);
        fc.pre(isOther(spoilt, key));
        const area = parsePublicArea(spoilt);
        const read = attesterOf(recordOf(scheme, { key: spoilt.toString('base64url') }));
        if (typeof read === 'string') return;
        // What else a key may be for (its policy, its authorization) does not make it another signer, but another name.
        expect(area?.name).not.toEqual(parsePublicArea(key)?.name);
      }),
      { numRuns: 400 },
    );
  });

  it('of another kind of attestation is none, whatever it says of itself', () => {
    const { time } = recorded.quotes[scheme];
    const other = { attestation: bytes(time.attestation), signature: bytes(time.signature) };
    expect(findQuoteProblem(other, attester(scheme), data)).toBe('it is an attestation of something else');
  });
});

describe('a quote', () => {
  const quote = quoteOf('ecdsa');
  const problem = (change: Partial<TpmRecord>, expected: Uint8Array = data) =>
    findQuoteProblem(quote, attester('ecdsa', change), expected);
  const { pcrs, resetCount, restartCount } = recorded;
  const [first, ...rest] = pcrs;

  it.each<[string, Partial<TpmRecord>, string]>([
    [
      'PCRs of other values',
      { pcrs: [{ ...first, digest: 'ab'.repeat(32) }, ...rest] },
      QUOTE_PROBLEMS.state,
    ],
    ['fewer PCRs', { pcrs: rest }, QUOTE_PROBLEMS.pcrs],
    ['more PCRs', { pcrs: [...pcrs, { index: 8, digest: '00'.repeat(32) }] }, QUOTE_PROBLEMS.pcrs],
    [
      'other PCRs of the same values',
      { pcrs: [first, { ...rest[0], index: 2 }, rest[1]] },
      QUOTE_PROBLEMS.pcrs,
    ],
    [
      'another signer above it',
      { qualifiedName: bytes(recorded.quotes.rsapss.qualifiedName).toString('base64url') },
      QUOTE_PROBLEMS.signer,
    ],
    ['another boot', { resetCount: resetCount - 1 }, QUOTE_PROBLEMS.boot],
    ['a boot to come', { resetCount: resetCount + 1, boot: 'later' }, QUOTE_PROBLEMS.boot],
    ['another resumption', { restartCount: restartCount + 1 }, QUOTE_PROBLEMS.boot],
    ['a resumption to come', { restartCount: restartCount + 1, boot: 'later' }, QUOTE_PROBLEMS.boot],
  ])('is refused where %s were enrolled', (_name, change, expected) => {
    expect(problem(change)).toBe(expected);
  });

  it('of a later boot counts where that was enrolled', () => {
    expect(problem({ resetCount: resetCount - 1, boot: 'later' })).toBeUndefined();
  });

  it('is about one nonce, one environment and one artifact', () => {
    const [one, other] = [`sha256:${'0a'.repeat(32)}`, `sha256:${'0b'.repeat(32)}`] as const;
    const nonce = Buffer.alloc(32, 1);
    const all = [
      qualifyingData(nonce, one),
      qualifyingData(nonce, one, one),
      qualifyingData(nonce, one, other),
      qualifyingData(nonce, other, one),
      qualifyingData(Buffer.alloc(32, 2), one),
    ];
    expect(new Set(all.map((each) => each.toString('hex'))).size).toBe(all.length);
    for (const expected of all) expect(problem({}, expected)).toBe(QUOTE_PROBLEMS.data);
    expect(() => qualifyingData(Buffer.alloc(31), one)).toThrow(TypeError);
  });

  it('of a clock that is not safe, or with a flag that is neither, is refused by its parser or its reader', () => {
    const at = 4 + 2 + 2 + 34 + 2 + 32 + 8 + 4 + 4;
    const read = parseQuoteAttestation(quote.attestation);
    expect(read).toMatchObject({ isClockSafe: true });
    const [unsafe, neither] = [0, 2].map((flag) => {
      const changed = Buffer.from(quote.attestation);
      changed.writeUInt8(flag, at);
      return parseQuoteAttestation(changed);
    });
    expect(unsafe).toMatchObject({ isClockSafe: false });
    expect(neither).toBe('its attestation is malformed');
  });

  it('of a TPM that signs what it says with an unsafe clock is refused by name', () => {
    // A key of ours in place of the TPM's: only so can what is signed be chosen.
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const changed = Buffer.from(quote.attestation);
    changed.writeUInt8(0, 4 + 2 + 2 + 34 + 2 + 32 + 8 + 4 + 4);
    const raw = createSign('sha256').update(changed).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' });
    const size = Buffer.of(0, 32);
    const signature = Buffer.concat([
      ...[Buffer.of(0, 0x18, 0, 0x0b), size, raw.subarray(0, 32), size, raw.subarray(32)],
    ]);
    const known = attester('ecdsa');
    const forged = { ...known, key: { ...known.key, key: publicKey } };
    expect(findQuoteProblem({ attestation: changed, signature }, forged, data)).toBe(QUOTE_PROBLEMS.clock);
  });

  it('never makes the verifier throw, whatever the bytes', () => {
    const known = attester('ecdsa');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 100 }), (left, right) => {
        expect(findQuoteProblem({ attestation: left, signature: right }, known, data)).toBeTypeOf('string');
        expect(parseQuoteAttestation(left)).toBeTypeOf('string');
        expect(parseAttestationKey(left)).toBeTypeOf('string');
        expect(parseEndorsementKey(left)).toBeTypeOf('string');
      }),
      { numRuns: 300 },
    );
  });
});

describe('an attestation key', () => {
  const area = bytes(recorded.quotes.ecdsa.key);
  const withAttributes = (change: (attributes: number) => number) => {
    const changed = Buffer.from(area);
    changed.writeUInt32BE(change(area.readUInt32BE(4)) >>> 0, 4);
    return parseAttestationKey(changed);
  };

  it.each(['fixedTpm', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const)(
    'must be %s',
    (name) => {
      expect(withAttributes((attributes) => attributes & ~ATTRIBUTE[name])).toMatch(/restricted signing key/);
    },
  );

  it('must not decrypt, leave its TPM, or have attributes that nobody knows', () => {
    for (const bit of [ATTRIBUTE.decrypt, ATTRIBUTE.encryptedDuplication, 1, 1 << 31]) {
      expect(withAttributes((attributes) => attributes | bit)).toBeTypeOf('string');
    }
  });

  it('is neither a plain signing key of the TPM nor its endorsement key', () => {
    expect(parseAttestationKey(bytes(recorded.unrestrictedKey))).toMatch(/restricted signing key/);
    expect(parseAttestationKey(bytes(recorded.endorsement.key))).toMatch(/restricted signing key/);
  });

  it('must be a point of the curve', () => {
    const changed = Buffer.from(area);
    changed.writeUInt8(changed.readUInt8(area.byteLength - 1) ^ 1, area.byteLength - 1);
    expect(parseAttestationKey(changed)).toMatch(/not a point/);
  });

  it.each([[[16]], [[0, 23]], [[1, 0]], [[0, 0]], [[24]], [[]]])(
    'is not enrolled with PCRs %j',
    (indices) => {
      const pcrs = indices.map((index) => ({ index, digest: '00'.repeat(32) }));
      expect(attesterOf(recordOf('ecdsa', { pcrs }))).toBeTypeOf('string');
    },
  );
});

describe('an endorsement key', () => {
  const { key, certificate, intermediate, root } = recorded.endorsement;
  const endorsement = parseEndorsementKey(bytes(key));
  if (typeof endorsement === 'string') throw new Error(endorsement);
  const within = new X509Certificate(bytes(certificate)).validFromDate.getTime() + 1000;
  const sources = { roots: [bytes(root)], intermediates: [bytes(intermediate)] };
  const verify = (change: Partial<typeof sources> = {}, nowMs = within, der = bytes(certificate)) =>
    verifyEndorsement(der, endorsement, { ...sources, ...change }, nowMs);

  it('is vouched for by a certificate that leads to a named root, and known to be a program', () => {
    expect(verify()).toMatchObject({ isSimulator: true });
    expect(verify({ roots: [bytes(intermediate)], intermediates: [] })).toMatchObject({ isSimulator: true });
  });

  it('is not, without that root, what stands between, or in another time', () => {
    expect(verify({ roots: [] })).toMatch(/does not lead to a root/);
    expect(verify({ intermediates: [] })).toMatch(/does not lead to a root/);
    // Whoever signs is not trusted for being handed over.
    expect(verify({ roots: [], intermediates: [bytes(intermediate), bytes(root)] })).toMatch(/does not lead/);
    expect(verify({}, within - 10 * 86_400_000)).toMatch(/not valid at this time/);
    expect(verify({}, Number.NaN)).toMatch(/not valid at this time/);
    expect(verify({}, within, bytes(intermediate))).toMatch(/not one of an endorsement key/);
  });

  it('is not, with a certificate that was changed or is of another key', () => {
    const original = bytes(certificate);
    fc.assert(
      fc.property(fc.nat(original.byteLength - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(original);
        changed.writeUInt8(changed.readUInt8(at) ^ (1 << bit), at);
        expect(verify({}, within, changed)).toBeTypeOf('string');
      }),
      { numRuns: 200 },
    );
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = { ...endorsement, key: publicKey };
    expect(verifyEndorsement(original, other, sources, within)).toMatch(/of another key/);
  });

  it('opens only what is sealed to it and to the name of a key', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const seed = Buffer.alloc(32, 3);
    const to = { ...endorsement, key: publicKey };
    const [one, other] = ['00', '01'].map((name) =>
      makeCredential(to, Buffer.from(name, 'hex'), Buffer.alloc(32, 5), seed),
    );
    const opened = privateDecrypt(
      { key: privateKey, oaepHash: 'sha256', oaepLabel: Buffer.from('IDENTITY\0') },
      one?.encryptedSecret.subarray(2) ?? Buffer.alloc(0),
    );
    expect(opened).toEqual(seed);
    expect(one?.idObject).not.toEqual(other?.idObject);
    expect(() => makeCredential(to, Buffer.alloc(34), Buffer.alloc(33))).toThrow(TypeError);
  });
});
