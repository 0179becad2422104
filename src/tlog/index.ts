export { CompactTree } from './compact-tree.ts';
export { EMPTY_ROOT, HASH_BYTES, hashesEqual, leafHash, nodeHash, treeHash } from './hash.ts';
export type { HashReader, StoredHash } from './hash-reader.ts';
export { type AppendRequest, type AppendResult, type Log, type LogReader, LogUnavailable } from './log.ts';
export { MerkleTree } from './merkle-tree.ts';
export { proveConsistency, proveInclusion, rootAt } from './prove.ts';
export type { TileStore } from './tile-store.ts';
export { type ConsistencyClaim, type InclusionClaim, verifyConsistency, verifyInclusion } from './verify.ts';
