import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleFromJSON } from '@sigstore/bundle';
import { PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { writ } from '../../../src/cli/run.test-support.ts';
import type { JsonObject } from '../../../src/codec/index.ts';
import { attestExecution, type ExecutionAttestation } from '../../../src/governor/index.ts';
import { readKeyFile, SigningKey, type VerificationKey } from '../../../src/key/index.ts';
import type { Envelope } from '../../../src/receipt/index.ts';
import { must, nowSeconds, TestDomain } from '../../support/trust-domain.ts';

/** An entry of the attestation log as a bundle has it. */
export interface LogEntry {
  logIndex: string;
  logId: { keyId: string };
  kindVersion: { kind: string; version: string };
  inclusionProof: {
    logIndex: string;
    rootHash: string;
    treeSize: string;
    hashes: string[];
    checkpoint: { envelope: string };
  };
  canonicalizedBody: string;
}

/** The JSON of a bundle of ours. */
export interface BundleJson {
  verificationMaterial: { publicKey: { hint: string }; tlogEntries: LogEntry[] };
  dsseEnvelope: {
    payload: string;
    payloadType: Envelope['payloadType'];
    signatures: [{ sig: string; keyid: string }];
  };
}

/** What a verifier is given to trust. */
export interface Trust {
  root: object;
  key: VerificationKey;
}

export const EXECUTIONS = 4;

/** A domain whose executions have been attested: all but the last by the library, the last by the command. */
export class AttestedDomain {
  readonly domain: TestDomain;
  readonly mallory = SigningKey.generate();
  readonly attested: readonly ExecutionAttestation[];
  /** The files that the command wrote. */
  readonly folder: string;
  readonly files: unknown;

  private constructor(domain: TestDomain, attested: readonly ExecutionAttestation[], files: unknown) {
    this.domain = domain;
    this.attested = attested;
    this.folder = exportFolderOf(domain);
    this.files = files;
  }

  static async create(): Promise<AttestedDomain> {
    const domain = await TestDomain.create();
    const ids = await runExecutions(domain);
    const attested: ExecutionAttestation[] = [];
    const by = { actor: 'spiffe://test.local/user/tester', atSeconds: nowSeconds() };
    for (const id of ids.slice(0, -1)) attested.push(must(await attestExecution(domain.home, id, by)));
    const exported = await writ(
      { cwd: domain.folder },
      ...['receipt', 'export', 'last', '--format', 'sigstore', '--out', exportFolderOf(domain), '--json'],
    );
    attested.push(readExport(domain, exported.json));
    return new AttestedDomain(domain, attested, exported.json.files);
  }

  dispose(): void {
    this.domain.dispose();
  }

  /** The nth attestation; -1 is the last, whose proof has two hashes. */
  at(index: number): ExecutionAttestation {
    const attestation = this.attested.at(index);
    if (attestation === undefined) throw new Error(`no attestation ${index}`);
    return attestation;
  }

  /** A copy of its bundle. */
  bundle(index = -1): BundleJson {
    return structuredClone(this.at(index).bundle) as unknown as BundleJson;
  }

  entry(index = -1): LogEntry {
    return entryOf(this.bundle(index));
  }

  get trust(): Trust {
    const { trustedRoot, signer } = this.at(-1);
    return { root: trustedRoot, key: signer };
  }

  /** What a user of the stock library writes; only, there is no timestamp authority to ask for. Throws as it does. */
  verify(bundle: object, { root, key }: Trust = this.trust): void {
    const rawBytes = Buffer.from(key.toDer());
    const keys = { [this.at(-1).keyHint]: { rawBytes, keyDetails: PublicKeyDetails.PKIX_ED25519 } };
    const material = toTrustMaterial(TrustedRoot.fromJSON(root), keys);
    new Verifier(material, { timestampThreshold: 0 }).verify(toSignedEntity(bundleFromJSON(bundle)));
  }
}

export function entryOf(bundle: BundleJson): LogEntry {
  const [entry] = bundle.verificationMaterial.tlogEntries;
  if (entry === undefined) throw new Error('the bundle has no log entry');
  return entry;
}

export function payloadOf({ dsseEnvelope }: BundleJson): string {
  return Buffer.from(dsseEnvelope.payload, 'base64').toString('utf8');
}

async function runExecutions(domain: TestDomain): Promise<readonly string[]> {
  const { governor, audience, close } = await domain.open();
  const chain = [domain.issue()];
  const ids: string[] = [];
  for (let run = 0; run < EXECUTIONS; run += 1) {
    const action = domain.call(chain, { audience, args: { path: `/reports/${run}` } });
    const { executionId } = await governor.run(action, async () => ({
      status: 'succeeded',
      value: undefined,
      evidence: Buffer.from('written'),
    }));
    ids.push(executionId);
  }
  await governor.settle();
  await close();
  return ids;
}

function exportFolderOf(domain: TestDomain): string {
  return join(domain.folder, 'attestation');
}

function readExport(domain: TestDomain, answer: JsonObject): ExecutionAttestation {
  const read = (name: string) => readFileSync(join(exportFolderOf(domain), name));
  const { log, index } = answer.attestation as { log: string; index: number };
  if (log !== domain.home.attestationOrigin) throw new Error(`recorded in ${log}`);
  return {
    bundle: JSON.parse(read('receipt.sigstore.json').toString()),
    trustedRoot: JSON.parse(read('trusted_root.json').toString()),
    signer: must(readKeyFile(domain.home.logKeyFile('fs'))).publicKey,
    keyHint: String(answer.keyHint),
    subjects: { decision: read('decision.json'), outcome: read('outcome.json') },
    index,
  };
}
