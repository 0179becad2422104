/**
 * Takes concatenated certificates in DER apart, as the Workload API sends them.
 *
 * @returns undefined where that is not what the bytes are.
 */
export function splitDer(bytes: Uint8Array, maxCount = 128): readonly Uint8Array[] | undefined {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const length = lengthAt(bytes, at);
    if (length === undefined || at + length > bytes.byteLength || parts.length === maxCount) return undefined;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

/** Bytes of the SEQUENCE that begins there, its head included: lengths of at most 65,535. */
function lengthAt(bytes: Uint8Array, at: number): number | undefined {
  const [tag, first = 0x80, second = 0, third = 0] = bytes.subarray(at, at + 4);
  if (tag !== 0x30) return undefined;
  if (first < 0x80) return 2 + first;
  if (first === 0x81) return 3 + second;
  return first === 0x82 ? 4 + second * 256 + third : undefined;
}
