/**
 * A master that is only its HTTP side: serves the page with the headers that the real one gives, and says on the live socket what the test has it say. For what
 * a real app does not do on command: 64 workers, names that would be markup, a verdict of these very words.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import type { PageMessage, ServerMessage } from '../../src/shared/dashboard-protocol.js';
import { LIVE_PATH } from '../../src/shared/dashboard-protocol.js';

const PAGE = fileURLToPath(new URL('../../dist/dashboard/', import.meta.url));
const TYPES: Record<string, string> = {
  '/': 'text/html; charset=utf-8',
  '/app.js': 'text/javascript; charset=utf-8',
  '/app.css': 'text/css; charset=utf-8',
  '/icon.svg': 'image/svg+xml',
};
/** Nothing inline, nothing from elsewhere. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface FakeMaster {
  url: string;
  /** What pages have said. */
  heard: PageMessage[];
  send(message: ServerMessage): void;
  /** As if it had ended: connections are cut, nobody listens. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** Every page is told to go. */
  shutOut: boolean;
}

/** @param hello what a page is greeted with, asked for each time */
export async function startFakeMaster(
  port: number,
  hello: () => ServerMessage[],
  onHeard: (message: PageMessage, answer: (message: ServerMessage) => void) => void = () => {},
): Promise<FakeMaster> {
  let server: Server;
  let sockets: WebSocketServer;
  const master: FakeMaster = {
    url: `http://127.0.0.1:${port}/`,
    heard: [],
    send(message) {
      for (const socket of sockets.clients) socket.send(JSON.stringify(message));
    },
    async goAway() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    comeBack: () => listen(),
    shutOut: false,
  };
  const serve = ({ url = '/' }: IncomingMessage, response: ServerResponse): void => {
    const type = TYPES[url];
    if (master.shutOut || type === undefined) {
      response.writeHead(master.shutOut ? 401 : 404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': type,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
    });
    response.end(readFileSync(`${PAGE}${url === '/' ? 'index.html' : url.slice(1)}`));
  };
  const listen = (): Promise<void> => {
    server = createServer(serve);
    sockets = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      if (master.shutOut || request.url !== LIVE_PATH) {
        socket.end('HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, greet);
    });
    return new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  };
  const greet = (socket: WebSocket): void => {
    const answer = (message: ServerMessage): void => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    };
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as PageMessage;
      master.heard.push(message);
      onHeard(message, answer);
    });
    for (const message of hello()) answer(message);
  };
  await listen();
  return master;
}
