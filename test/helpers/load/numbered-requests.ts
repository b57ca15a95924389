/**
 * Requests that carry their number, the answers that are right for them, and the pieces in which they go out. They go with
 * fixtures/numbered-app; the same seed gives the same requests.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Random } from '../chaos/random.js';

export interface NumberedRequest {
  seq: number;
  bytes: Buffer;
  /** The only right body of its answer. */
  answer: string;
}

/** How requests are drawn. */
export interface Mix {
  /** Bytes of request bodies; 0 is a GET. Name a size several times to have it drawn more often. */
  bodies: readonly number[];
  /** Bytes of filler behind an answer's first line. */
  answers: readonly number[];
  shapes: readonly Shape[];
  /** How long half a request is left lying, in ms. */
  lingerMs: number;
}

export type Shape = 'whole' | 'split' | 'half-head' | 'batch' | 'split-batch';

export const TORTURE: Mix = {
  bodies: [0, 0, 0, 0, 0, 0, 0, 0, 0, 16_384, 16_384, 262_144],
  answers: [0, 0, 0, 0, 0, 0, 1_000, 65_536],
  shapes: ['whole', 'whole', 'split', 'half-head', 'batch', 'split-batch'],
  lingerMs: 40,
};

/** What is written at once, and how long the client then waits, in ms; 0 is one turn of its event loop. */
export interface Piece {
  bytes: Buffer;
  pauseMs: number;
}

export interface Batch {
  requests: NumberedRequest[];
  pieces: Piece[];
}

const CONTENT = randomBytes(300_000);

export function drawBatch(connection: string, firstSeq: number, mix: Mix, random: Random): Batch {
  const shape = random.pick(mix.shapes);
  const count = shape === 'batch' || shape === 'split-batch' ? random.between(2, 5) : 1;
  const requests = Array.from({ length: count }, (_, index) => drawRequest(connection, firstSeq + index, mix, random));
  const bytes = Buffer.concat(requests.map((request) => request.bytes));
  return { requests, pieces: cut(bytes, shape, mix.lingerMs, random) };
}

function drawRequest(connection: string, seq: number, mix: Mix, random: Random): NumberedRequest {
  const size = random.pick(mix.bodies);
  const answerBytes = random.pick(mix.answers);
  const from = random.between(0, CONTENT.length - size);
  const body = CONTENT.subarray(from, from + size);
  const head = `${size ? 'POST' : 'GET'} /${connection}/${seq}?answer=${answerBytes} HTTP/1.1\r\nHost: app\r\n`;
  return {
    seq,
    bytes: size === 0 ? Buffer.from(`${head}\r\n`) : withBody(head, body, random),
    answer: `${connection} ${seq} ${size} ${createHash('sha1').update(body).digest('hex')}\n${filler(connection, seq, answerBytes)}`,
  };
}

const filler = (connection: string, seq: number, bytes: number): string => {
  const part = `${connection}:${seq};`;
  return part.repeat(Math.ceil(bytes / part.length)).slice(0, bytes);
};

function withBody(head: string, body: Buffer, random: Random): Buffer {
  if (random.next() < 0.5) return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  const parts: Buffer[] = [Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)];
  for (let at = 0; at < body.length; ) {
    const chunk = body.subarray(at, at + random.between(1, body.length));
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
    at += chunk.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

function cut(bytes: Buffer, shape: Shape, lingerMs: number, random: Random): Piece[] {
  if (shape === 'whole' || shape === 'batch') return [{ bytes, pauseMs: 0 }];
  if (shape === 'half-head') {
    const at = random.between(1, bytes.indexOf('\r\n\r\n') + 3);
    return [
      { bytes: bytes.subarray(0, at), pauseMs: random.between(0, lingerMs) },
      { bytes: bytes.subarray(at), pauseMs: 0 },
    ];
  }
  const cuts = Array.from({ length: random.between(1, 4) }, () => random.between(1, bytes.length - 1)).sort(
    (a, b) => a - b,
  );
  return [0, ...cuts].map((from, index) => ({
    bytes: bytes.subarray(from, cuts[index] ?? bytes.length),
    pauseMs: random.between(0, 3),
  }));
}
