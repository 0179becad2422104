/** Subprotocol of the WebSocket that has a program started (spec/session.md). */
export const SUPERVISE_PROTOCOL = 'writ.supervise.v1';

/** The first byte of its frames. */
export const STREAMS = { stdin: 0, stdout: 1, stderr: 2 } as const;
