import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { measurementOf } from '../measurement.ts';
import { vouchFor } from '../vouch.ts';
import { isSnpReportSignedBy, parseSnpReport } from './snp-report.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });

/** A report of the shape of the published ones (56860, ATTESTATION_REPORT), signed by a key of the test's own. */
function reportOf(version = 2): Buffer {
  const report = Buffer.alloc(1184);
  report.writeUInt32LE(version, 0x000);
  report.writeUInt32LE(4, 0x004);
  report.writeBigUInt64LE(0x3_001fn, 0x008);
  report.writeUInt32LE(1, 0x034);
  report.fill(0xd1, 0x050, 0x090);
  report.fill(0x3e, 0x090, 0x0c0);
  report.fill(0xc4, 0x1a0, 0x1e0);
  report.writeBigUInt64LE(0xdb16_0000_0000_0003n, 0x180);
  const raw = sign('sha384', report.subarray(0, 0x2a0), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  Buffer.from(raw.subarray(0, 48)).reverse().copy(report, 0x2a0);
  Buffer.from(raw.subarray(48))
    .reverse()
    .copy(report, 0x2a0 + 72);
  return report;
}

function withNumber(report: Buffer, value: number, at: number): Buffer {
  report.writeUInt32LE(value, at);
  return report;
}

describe('a SEV-SNP report (not verified end to end)', () => {
  it.each([2, 3, 5])('of version %i is read, field by field', (version) => {
    const report = parseSnpReport(reportOf(version));
    if (typeof report === 'string') throw new Error(report);
    expect(report).toMatchObject({ version, guestSvn: 4, vmpl: 0, signingKey: 0 });
    expect(report.policy).toEqual({
      ...{ allowsSmt: true, allowsDebug: false, allowsMigrationAgent: false, requiresSingleSocket: false },
    });
    expect(report.reportData).toEqual(Buffer.alloc(64, 0xd1));
    expect(report.measurement).toEqual(Buffer.alloc(48, 0x3e));
    expect(report.chipId).toEqual(Buffer.alloc(64, 0xc4));
    expect(report.reportedTcb).toBe(0xdb16_0000_0000_0003n);
    expect(isSnpReportSignedBy(report, publicKey)).toBe(true);
  });

  it('is refused, or not signed, when any bit of it is changed', () => {
    const original = reportOf();
    fc.assert(
      fc.property(fc.nat(original.byteLength - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(original);
        changed.writeUInt8(changed.readUInt8(at) ^ (1 << bit), at);
        const report = parseSnpReport(changed);
        expect(typeof report !== 'string' && isSnpReportSignedBy(report, publicKey)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, (report: Buffer) => Uint8Array]>([
    ['a byte short', (report) => report.subarray(1)],
    ['a byte long', (report) => Buffer.concat([report, Buffer.of(0)])],
    ['of a version to come', (report) => withNumber(report, 9, 0)],
    ['of another algorithm', (report) => withNumber(report, 2, 0x034)],
    ['asked for by the host', (report) => withNumber(report, 0xffff_ffff, 0x030)],
    ['with more than a signature', (report) => withNumber(report, 1, 1180)],
  ])('is refused %s', (_name, spoil) => {
    expect(parseSnpReport(spoil(reportOf()))).toBeTypeOf('string');
  });

  it('raises no assurance, nor does a measurement that says so of itself', () => {
    const context = { nowSeconds: 1, findAttester: () => undefined, artifact: undefined, bindings: [] };
    for (const claimed of ['tee', 'tpm'] as const) {
      expect(vouchFor(measurementOf([], claimed, 1), context)).toEqual({ assurance: 'self' });
    }
  });
});
