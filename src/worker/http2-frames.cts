/** Pure: the bytes of the HTTP/2 frames (RFC 9113) that a farewell writes by itself. Knows no session and no socket. */

const HEAD_BYTES = 9;
const GOAWAY = 0x7;
/** Of a type that nobody has defined: every receiver has to ignore it (RFC 9113, 5.5). */
const UNKNOWN = 0xfa;
const NO_ERROR = 0;

/** Names no stream: one that is on its way is still going to be served. */
export const HIGHEST_STREAM_ID = 2 ** 31 - 1;

/** "Open no more streams here"; those up to `lastStreamId` will be, or have been, served. */
export function goawayFrame(lastStreamId: number): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(lastStreamId, 0);
  payload.writeUInt32BE(NO_ERROR, 4);
  return frame(GOAWAY, payload);
}

/** Says nothing. */
export const emptyFrame = (): Buffer => frame(UNKNOWN, Buffer.alloc(0));

/** Of the connection: no flags, stream 0. */
function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  return Buffer.concat([head, payload]);
}
