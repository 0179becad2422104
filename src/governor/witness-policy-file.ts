import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { WitnessClient } from '../mesh/index.ts';
import {
  type CheckpointCosigner,
  checkQuorum,
  hashesEqual,
  MAX_POLICY_BYTES,
  type NoteVerifier,
  parseWitnessPolicy,
  type WitnessPolicy,
} from '../tlog/index.ts';
import type { Home } from './home.ts';

/**
 * The witness policy of a trust domain; undefined where it has none, or one that asks for nobody (`quorum none`). INVARIANT:
 * only a file that is not there means that there is none: one that cannot be read, or is malformed, denies.
 */
export function readWitnessPolicy(home: Home): WitnessPolicy | undefined | Denial {
  const path = home.witnessPolicyFile;
  const bytes = readFile(path);
  if (bytes === undefined || isDenial(bytes)) return bytes;
  const policy = parseWitnessPolicy(bytes);
  if (isDenial(policy)) return deny(policy.code, `${path}: ${policy.detail}`);
  return policy.quorum === undefined ? undefined : policy;
}

/**
 * Gets checkpoints of one log of the domain cosigned as its policy asks; undefined where it asks for nothing. Denies
 * where its witnesses cannot be asked, or it is not a policy for this log.
 */
export function cosignerFor(home: Home, logKey: NoteVerifier): CheckpointCosigner | undefined | Denial {
  const policy = readWitnessPolicy(home);
  if (policy === undefined || isDenial(policy)) return policy;
  const isListed = policy.logs.some(({ name, keyId }) => name === logKey.name && keyId === logKey.keyId);
  if (policy.logs.length > 0 && !isListed) {
    return deny('request.malformed', `${home.witnessPolicyFile} names logs, and ${logKey.name} is not one`);
  }
  if (policy.witnesses.some(({ verifier }) => hashesEqual(verifier.key.bytes, logKey.key.bytes))) {
    return deny('request.malformed', `${home.witnessPolicyFile} makes ${logKey.name} its own witness`);
  }
  const reachable = policy.witnesses.filter(({ url }) => url !== undefined);
  const all = reachable.map(({ verifier: { name, keyId } }) => ({ name, keyId, timestampSeconds: 1 }));
  const verdict = checkQuorum(policy, all);
  if (!verdict.met) {
    return deny(
      'request.malformed',
      `${home.witnessPolicyFile} can never be met, since witnesses have no URL: ${verdict.missing}`,
    );
  }
  return new WitnessClient({ policy, logKey });
}

function readFile(path: string): Uint8Array | undefined | Denial {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return code === 'ENOENT' ? undefined : deny('request.malformed', `${path} cannot be read: ${code}`);
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) return deny('request.malformed', `${path} is not a regular file`);
    if ((status.mode & 0o022) !== 0) {
      return deny('request.malformed', `${path} can be written by others: run chmod go-w ${path}`);
    }
    const bytes = Buffer.alloc(MAX_POLICY_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.byteLength; length += read) {
      read = readSync(descriptor, bytes, length, bytes.byteLength - length, null);
    }
    return bytes.subarray(0, length);
  } catch {
    return deny('request.malformed', `${path} cannot be read`);
  } finally {
    closeSync(descriptor);
  }
}
