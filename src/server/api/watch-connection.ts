import type { WebSocket } from 'ws';

export interface ConnectionStanding {
  /** Whether its session is open. */
  readonly isOpen: () => boolean;
  /** Whether who is connected still may be. */
  readonly stands: () => boolean;
  readonly end: (reason: string) => void;
}

export const NOT_ANY_MORE = 'not permitted any more';
const OPEN_WITHIN_MS = 10_000;
const PING_MS = 15_000;
const LOOK_MS = 1_000;

/**
 * Ends a session's connection where nobody is at its other end (RFC 6455 §5.5.2), where no session is opened on it, or
 * where its caller may not be connected any more.
 *
 * @returns stops watching.
 */
export function watchConnection(socket: WebSocket, { isOpen, stands, end }: ConnectionStanding): () => void {
  let answered = true;
  socket.on('pong', () => {
    answered = true;
  });
  const ping = setInterval(() => {
    if (!answered) socket.terminate();
    else socket.ping();
    answered = false;
  }, PING_MS);
  const look = setInterval(() => {
    if (!stands()) end(NOT_ANY_MORE);
  }, LOOK_MS);
  const late = setTimeout(() => {
    if (!isOpen()) end('no session was opened');
  }, OPEN_WITHIN_MS);
  return () => {
    clearInterval(ping);
    clearInterval(look);
    clearTimeout(late);
  };
}
