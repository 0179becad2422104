export {
  type AddCheckpoint,
  formatAddCheckpoint,
  MAX_ADD_CHECKPOINT_BYTES,
  parseAddCheckpoint,
} from './add-checkpoint.ts';
export { openCheckpoint, peekCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
export { type Checkpoint, formatCheckpoint, parseCheckpoint } from './checkpoint-text.ts';
export { CompactTree } from './compact-tree.ts';
export { type CheckpointCosigner, type CosigningContext, QuorumUnmet } from './cosigning.ts';
export { encodeEntryBundle, MAX_ENTRY_BYTES, parseEntryBundle } from './entry-bundle.ts';
export { EMPTY_ROOT, HASH_BYTES, hashesEqual, leafHash, leafHashes, nodeHash, treeHash } from './hash.ts';
export type { HashReader, StoredHash } from './hash-reader.ts';
export {
  type Acknowledgement,
  type AppendRequest,
  type AppendResult,
  type Log,
  type LogProgress,
  type LogReader,
  LogUnavailable,
  logFault,
} from './log.ts';
export { isLogFault, LOG_FAULTS, type LogFault } from './log-fault.ts';
export { MerkleTree } from './merkle-tree.ts';
export { type OpenedNote, openNote, signatureLine, signNote, type VerifiedSignature } from './note.ts';
export {
  COSIGNATURE_V1,
  ED25519,
  formatVkey,
  ML_DSA_44,
  type NoteKey,
  type NoteSigner,
  type NoteVerifier,
  noteCosigner,
  noteSigner,
  noteVerifier,
  parseVkey,
  type SignatureType,
} from './note-key.ts';
export { MAX_NOTE_BYTES } from './note-text.ts';
export { proveConsistency, proveInclusion, rootAt } from './prove.ts';
export { readEntryBundle, type TileFetcher, withTiles } from './read-tiles.ts';
export { compareHeads, type HeadsVerdict, type SignedHead, SplitView } from './split-view.ts';
export {
  formatTilePath,
  parseTilePath,
  storedHashCount,
  TILE_WIDTH,
  type Tile,
  tilesBetween,
} from './tile-path.ts';
export type { TileStore } from './tile-store.ts';
export {
  formatTlogProof,
  parseTlogProof,
  type TlogProof,
  type VerifiedInclusion,
  verifyTlogProof,
} from './tlog-proof.ts';
export { type ConsistencyClaim, type InclusionClaim, verifyConsistency, verifyInclusion } from './verify.ts';
export {
  judgeSubmission,
  type KnownLogs,
  openSubmission,
  type Submission,
  type WitnessRefusal,
} from './witness.ts';
export {
  checkQuorum,
  MAX_POLICY_BYTES,
  type PolicyWitness,
  parseWitnessPolicy,
  type QuorumVerdict,
  type WitnessGroup,
  type WitnessPolicy,
} from './witness-policy.ts';
