import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseJsonObject } from '../codec/index.ts';
import { isDenial } from '../denial/index.ts';
import { writeFileDurably } from '../governor/index.ts';
import {
  hasMlDsa,
  MlDsaSigningKey,
  readKeyFile,
  readMlDsaKeyFile,
  SigningKey,
  writeKeyFile,
} from '../key/index.ts';
import { WitnessState } from '../storage/index.ts';
import { COSIGNATURE_V1, formatVkey, LogUnavailable } from '../tlog/index.ts';
import { denied, failure } from './cli-error.ts';
import { readInputFile } from './input-file.ts';

const WITNESS = 'writ/witness@v1';
const MAX_FILE_BYTES = 16 * 1024;

/** A witness on disk: its name, its keys, and what it has cosigned. */
export interface WitnessFolder {
  readonly name: string;
  readonly signers: readonly (SigningKey | MlDsaSigningKey)[];
  readonly vkeys: readonly string[];
}

const fileOf = (folder: string) => join(folder, 'witness.json');
const ed25519File = (folder: string) => join(folder, 'ed25519.pem');
const mlDsaFile = (folder: string) => join(folder, 'ml-dsa-44.pem');

/** Makes keys and an empty state; the file that names the witness comes last, and with it the witness exists. */
export function createWitnessFolder(folder: string, name: string, kinds: { readonly mlDsa: boolean }): void {
  if (existsSync(fileOf(folder))) {
    throw failure('file.exists', `${folder} already holds a witness`, 'choose another folder');
  }
  if (kinds.mlDsa && !hasMlDsa()) {
    throw failure(
      'key.unsupported',
      'this Node has no ML-DSA-44',
      'leave --ml-dsa out, or use Node 24 or later',
    );
  }
  const refused =
    writeKeyFile(ed25519File(folder), SigningKey.generate()) ??
    (kinds.mlDsa ? writeKeyFile(mlDsaFile(folder), MlDsaSigningKey.generate()) : undefined);
  if (refused !== undefined) throw denied(refused, 'a key is never replaced: choose another folder');
  try {
    WitnessState.create(folder);
  } catch (error) {
    if (error instanceof LogUnavailable) throw failure('log.unavailable', error.message);
    throw error;
  }
  writeFileDurably(fileOf(folder), `${JSON.stringify({ type: WITNESS, name })}\n`, 0o644);
}

export function readWitnessFolder(folder: string): WitnessFolder {
  const bytes = readInputFile(folder, 'witness.json', MAX_FILE_BYTES);
  if (isDenial(bytes)) {
    throw failure('witness.missing', `there is no witness in ${folder}`, 'make one with "writ witness new"');
  }
  const json = parseJsonObject(bytes, 'request.malformed');
  if (isDenial(json) || json.type !== WITNESS || typeof json.name !== 'string') {
    throw failure('request.malformed', `${fileOf(folder)} is not the file of a witness`);
  }
  const ed25519 = readKeyFile(ed25519File(folder));
  if (isDenial(ed25519)) throw denied(ed25519);
  const mlDsa = existsSync(mlDsaFile(folder)) ? readMlDsaKeyFile(mlDsaFile(folder)) : undefined;
  if (isDenial(mlDsa)) throw denied(mlDsa);
  const { name } = json;
  const vkeys = [formatVkey(name, ed25519.publicKey, COSIGNATURE_V1)];
  if (mlDsa !== undefined) vkeys.push(formatVkey(name, mlDsa.publicKey));
  return { name, signers: mlDsa === undefined ? [ed25519] : [ed25519, mlDsa], vkeys };
}
