import { type Denial, deny } from '../../denial/index.ts';

/**
 * The bytes of a request's body, read no further than the bound.
 *
 * @returns `request.too_large`, or `request.malformed` where the sender broke off.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array | Denial> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  const tooLarge = () => deny('request.too_large', `the body is longer than ${maxBytes} bytes`);
  if (declared > maxBytes) return tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of request.body) {
      length += chunk.byteLength;
      if (length > maxBytes) return tooLarge();
      chunks.push(chunk);
    }
  } catch {
    return deny('request.malformed', 'the body ended early');
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}
