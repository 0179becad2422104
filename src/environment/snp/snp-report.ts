import { type KeyObject, verify } from 'node:crypto';

/**
 * An AMD SEV-SNP attestation report (SEV-SNP Firmware ABI Specification 56860, ATTESTATION_REPORT).
 *
 * NOT VERIFIED END TO END: the layout is tested on reports made after the specification, and the signature with keys of our
 * own. No report of a real processor has been verified here, and no chain from a VCEK to AMD's root. So nothing gives a
 * measurement the assurance `tee` yet: see {@link TeeEvidence}.
 */
export interface SnpReport {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: SnpPolicy;
  readonly vmpl: number;
  /** What the guest had signed: 64 bytes. */
  readonly reportData: Buffer;
  /** SHA-384 of what the guest was launched with. */
  readonly measurement: Buffer;
  readonly hostData: Buffer;
  readonly idKeyDigest: Buffer;
  readonly authorKeyDigest: Buffer;
  readonly reportId: Buffer;
  readonly chipId: Buffer;
  /** Security versions that the signing key was derived for. */
  readonly reportedTcb: bigint;
  readonly committedTcb: bigint;
  /** Which key signed: 0 VCEK, 1 VLEK, 7 none. */
  readonly signingKey: number;
  /** The bytes that are signed. */
  readonly signed: Buffer;
  /** r and s, 48 bytes each, big-endian. */
  readonly signature: Buffer;
}

export interface SnpPolicy {
  readonly allowsDebug: boolean;
  readonly allowsMigrationAgent: boolean;
  readonly allowsSmt: boolean;
  readonly requiresSingleSocket: boolean;
}

/**
 * The port of evidence by trusted execution environments. No driver implements it: `assurance: "tee"` is met by nothing,
 * whatever a measurement says of itself.
 */
export interface TeeEvidence {
  /** A report whose `reportData` begins with these 32 bytes. */
  report(data: Uint8Array): Promise<Uint8Array>;
}

export const SNP_REPORT_BYTES = 1184;
const SIGNED_BYTES = 0x2a0;
const COMPONENT_BYTES = 72;
const P384_BYTES = 48;
const ECDSA_P384_SHA384 = 1;
const VERSIONS: readonly number[] = [2, 3, 5];
/** Must be 1 in every policy; the other bits up to 63 beyond those that are defined must be 0. */
const POLICY_ONE = 1n << 17n;

/** Reads a report strictly, or says what is wrong with it. All numbers are little-endian. */
export function parseSnpReport(bytes: Uint8Array): SnpReport | string {
  if (bytes.byteLength !== SNP_REPORT_BYTES) return 'it is not 1184 bytes long';
  const report = Buffer.from(bytes);
  const version = report.readUInt32LE(0x000);
  if (!VERSIONS.includes(version)) return `its version ${version} is not known`;
  if (report.readUInt32LE(0x034) !== ECDSA_P384_SHA384) return 'it is not signed with ECDSA P-384';
  const policy = report.readBigUInt64LE(0x008);
  if ((policy & POLICY_ONE) === 0n) return 'its policy is malformed';
  const vmpl = report.readUInt32LE(0x030);
  // 0xffffffff: asked for by the host.
  if (vmpl > 3) return 'no guest asked for it';
  const signature = signatureOf(report.subarray(SIGNED_BYTES));
  if (signature === undefined) return 'its signature is malformed';
  const take = (at: number, length: number) => report.subarray(at, at + length);
  return {
    version,
    guestSvn: report.readUInt32LE(0x004),
    policy: {
      allowsSmt: (policy & (1n << 16n)) !== 0n,
      allowsMigrationAgent: (policy & (1n << 18n)) !== 0n,
      allowsDebug: (policy & (1n << 19n)) !== 0n,
      requiresSingleSocket: (policy & (1n << 20n)) !== 0n,
    },
    vmpl,
    signingKey: (report.readUInt32LE(0x048) >> 2) & 7,
    reportData: take(0x050, 64),
    measurement: take(0x090, 48),
    hostData: take(0x0c0, 32),
    idKeyDigest: take(0x0e0, 48),
    authorKeyDigest: take(0x110, 48),
    reportId: take(0x140, 32),
    reportedTcb: report.readBigUInt64LE(0x180),
    chipId: take(0x1a0, 64),
    committedTcb: report.readBigUInt64LE(0x1e0),
    signed: take(0, SIGNED_BYTES),
    signature,
  };
}

/** Whether a P-384 key signed a report. Whose key that is (a VCEK, under AMD's root) is not established here. */
export function isSnpReportSignedBy({ signed, signature }: SnpReport, key: KeyObject): boolean {
  try {
    return verify('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}

/** Components are little-endian and padded with zeros to 72 bytes; so is what follows them. */
function signatureOf(bytes: Buffer): Buffer | undefined {
  const numbers = [bytes.subarray(0, COMPONENT_BYTES), bytes.subarray(COMPONENT_BYTES, 2 * COMPONENT_BYTES)];
  const padding = [
    ...numbers.map((number) => number.subarray(P384_BYTES)),
    bytes.subarray(2 * COMPONENT_BYTES),
  ];
  if (padding.some((zeros) => zeros.some((byte) => byte !== 0))) return undefined;
  return Buffer.concat(numbers.map((number) => Buffer.from(number.subarray(0, P384_BYTES)).reverse()));
}
