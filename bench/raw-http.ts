import { connect } from 'node:net';

export interface RawHttp {
  /** One request at a time. Gives head and body as they came. */
  post(path: string, body: string): Promise<string>;
  close(): void;
}

/** HTTP/1.1 with as little of a client as there can be: what is measured is the server. */
export async function openRawHttp(socketPath: string): Promise<RawHttp> {
  const socket = connect(socketPath);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  let text = '';
  let waiting: ((answer: string) => void) | undefined;
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (!isWhole(text)) return;
    const answer = text;
    text = '';
    waiting?.(answer);
  });
  return {
    post(path, body) {
      const head = `POST ${path} HTTP/1.1\r\nhost: writ\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
      return new Promise((resolve) => {
        waiting = resolve;
        socket.write(head + body);
      });
    },
    close: () => socket.destroy(),
  };
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  if (length !== undefined) return Buffer.byteLength(text.slice(end + 4)) >= Number(length);
  return text.endsWith('0\r\n\r\n');
}
