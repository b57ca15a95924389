/** The kinds of traffic: what a client writes, and what a right answer is. They go with fixtures/load-app. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Exchange } from './client.js';

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: app\r\n${more}\r\n`;

export const keepAlive = (path = '/'): Exchange => ({ write: (socket) => void socket.write(get(path)) });

export const perRequest = (path = '/'): Exchange => ({
  write: (socket) => void socket.write(get(path, 'Connection: close\r\n')),
  closing: true,
});

export const pipelined = (depth: number): Exchange => ({
  write: (socket) => void socket.write(get('/').repeat(depth)),
  answers: depth,
});

/** All at once; the app answers with what it got. */
export function upload(bytes: number): Exchange {
  const body = 'x'.repeat(bytes);
  const sha1 = createHash('sha1').update(body).digest('hex');
  return {
    write: (socket) =>
      void socket.write(`POST /upload HTTP/1.1\r\nHost: app\r\nContent-Length: ${bytes}\r\n\r\n${body}`),
    judge: (response) => (response.body.endsWith(`\n${sha1}`) ? null : 'another body than was sent'),
  };
}

/** `parts` times `partBytes`, one part every `everyMs`; the app answers with what it got. */
export function trickledUpload(parts: number, partBytes: number, everyMs: number): Exchange {
  const part = 'x'.repeat(partBytes);
  const sha1 = createHash('sha1').update(part.repeat(parts)).digest('hex');
  return {
    write: (socket) =>
      new Promise((resolve) => {
        socket.write(`POST /upload HTTP/1.1\r\nHost: app\r\nContent-Length: ${parts * partBytes}\r\n\r\n`);
        let left = parts;
        const timer = setInterval(() => {
          if (left-- > 0 && socket.writable) socket.write(part);
          else {
            clearInterval(timer);
            resolve();
          }
        }, everyMs);
      }),
    judge: ({ body }) => (body.endsWith(`\n${sha1}`) ? null : 'another body than was sent'),
  };
}

/** The app streams `/stream` in ten numbered parts over one second. */
export const streamed = (): Exchange => ({
  write: (socket: Socket) => void socket.write(get('/stream')),
  judge: ({ body }) =>
    body.trimEnd().split('\n').slice(1).join(',') === '0,1,2,3,4,5,6,7,8,9' ? null : 'another stream than was sent',
});
