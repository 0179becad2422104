/** WebSocket subprotocol of sessions (spec/session.md). */
export const SESSION_PROTOCOL = 'writ.session.v1';
/** Most requests of one frame. */
export const MAX_FRAME_REQUESTS = 1024;
/** Longest frame the daemon reads: an outcome with what came back. */
export const MAX_SESSION_FRAME_BYTES = 128 * 1024 * 1024;
