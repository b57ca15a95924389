/**
 * Stands between an HTTP/2 client that cannot tell and the server, and counts the streams that the client opens: its HEADERS
 * frames, as they are on the wire.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from '../side-by-side.js';
import type { Http2Target } from './http2-client.js';

const PREFACE_BYTES = 24;
const HEADERS = 1;

export interface CountingProxy {
  port: number;
  /** Streams opened so far. */
  streams: number;
}

export async function startCountingProxy(target: Http2Target, certificateFolder: string): Promise<CountingProxy> {
  const proxy = { port: 0, streams: 0 };
  const sockets = new Set<Socket>();
  const read = (name: string): Buffer => readFileSync(join(certificateFolder, name));
  const serve = (client: Socket): void => {
    const server = target.tls
      ? connectTls({ port: target.port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] })
      : connect(target.port, '127.0.0.1');
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => other.destroy()).on('close', () => sockets.delete(one));
      one.pipe(other);
    }
    client.on('data', countHeaders(proxy));
  };
  const listener = target.tls
    ? createTlsServer({ key: read('key.pem'), cert: read('cert.pem'), ALPNProtocols: ['h2'] }, serve)
    : createServer(serve);
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  proxy.port = (listener.address() as AddressInfo).port;
  return proxy;
}

function countHeaders(proxy: CountingProxy): (chunk: Buffer) => void {
  let pending = Buffer.alloc(0);
  let skip = PREFACE_BYTES;
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const skipped = Math.min(skip, pending.length);
      skip -= skipped;
      pending = pending.subarray(skipped);
      if (skip > 0 || pending.length < 9) return;
      if (pending[3] === HEADERS) proxy.streams += 1;
      skip = 9 + pending.readUIntBE(0, 3);
    }
  };
}
