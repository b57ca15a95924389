import { describe, expect, test } from 'vitest';
import { emptyFrame, goawayFrame, HIGHEST_STREAM_ID } from '../../src/worker/http2-frames.cjs';

describe('frames of a farewell', () => {
  test('a GOAWAY of the connection has eight bytes of payload: the last stream, and no error', () => {
    expect(goawayFrame(5).toString('hex')).toBe('000008' + '07' + '00' + '00000000' + '00000005' + '00000000');
  });

  test('the highest stream id leaves the reserved bit alone', () => {
    expect(goawayFrame(HIGHEST_STREAM_ID).subarray(9, 13).toString('hex')).toBe('7fffffff');
  });

  test('the empty frame is of a type that RFC 9113 does not define', () => {
    const frame = emptyFrame();
    expect([frame.length, frame.readUIntBE(0, 3), frame.readUInt32BE(5)]).toEqual([9, 0, 0]);
    expect(frame[3]).toBeGreaterThan(9);
  });
});
