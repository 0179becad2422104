import type { AppendRequest } from '../../tlog/index.ts';

/** Everything of a request but its bytes, which stand in the batch's one buffer in the order named here. */
interface PackedRequest {
  readonly entryBytes: number;
  readonly keys?: readonly string[];
  readonly consume?: NonNullable<AppendRequest['consume']>;
  readonly counters?: NonNullable<AppendRequest['counters']>;
  readonly evidence?: readonly { readonly address: string; readonly bytes: number }[];
}

/** A batch on its way to the writer's thread: one buffer that is moved, not copied, and the small rest. */
export interface PackedBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly requests: readonly PackedRequest[];
}

export function packBatch(requests: readonly AppendRequest[]): PackedBatch {
  let total = 0;
  for (const { entry, evidence } of requests) {
    total += entry.byteLength;
    if (evidence !== undefined) for (const blob of evidence) total += blob.bytes.byteLength;
  }
  const bytes = new Uint8Array(total);
  let at = 0;
  const put = (part: Uint8Array): number => {
    bytes.set(part, at);
    at += part.byteLength;
    return part.byteLength;
  };
  const packed = requests.map(({ entry, evidence, ...rest }) => {
    const sized = { ...rest, entryBytes: put(entry) };
    if (evidence === undefined) return sized;
    return {
      ...sized,
      evidence: evidence.map((blob) => ({ address: blob.address, bytes: put(blob.bytes) })),
    };
  });
  return { bytes, requests: packed };
}

export function unpackBatch({ bytes, requests }: PackedBatch): AppendRequest[] {
  let at = 0;
  const take = (length: number): Uint8Array => {
    const part = bytes.subarray(at, at + length);
    at += length;
    return part;
  };
  return requests.map(({ entryBytes, evidence, ...rest }) => {
    const request = { ...rest, entry: take(entryBytes) };
    if (evidence === undefined) return request;
    return {
      ...request,
      evidence: evidence.map((blob) => ({ address: blob.address, bytes: take(blob.bytes) })),
    };
  });
}
