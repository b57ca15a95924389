/**
 * Servers whose connections cannot be handed over, or may not be: the fallback is an answer with `Connection: close`, or the end that the
 * app itself gives. Nothing is lost, no worker crashes.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Mix } from '../helpers/load/numbered-requests.js';
import { TORTURE } from '../helpers/load/numbered-requests.js';
import { startTorture } from '../helpers/load/torture.js';
import { tallyLine } from '../helpers/load/torture-tally.js';
import { expectNothingBad, reload, startNumbered } from '../helpers/numbered.js';

const pem = (name: string): string =>
  JSON.stringify(readFileSync(fileURLToPath(new URL(`../fixtures/load-app/${name}.pem`, import.meta.url)), 'utf8'));

/** Requests without a body, one at a time and in one piece: what a parser of five lines understands. */
const PLAIN: Mix = { bodies: [0], answers: [0, 1_000], shapes: ['whole'], lingerMs: 0 };

/**
 * One request at a time. Where the HTTP server of an app does not listen itself, a drain may say `Connection: close` before it has seen all of a
 * pipelined batch; and over TLS node itself, without zdsup, drops large batches (23 of 4,600 requests on Node 20).
 */
const UNPIPELINED: Mix = { ...TORTURE, shapes: ['whole', 'split', 'half-head'] };

interface Odd {
  does: string;
  app: string;
  tls?: boolean;
  mix?: Mix;
  /** Why its connections stay, in the log, once. @default nothing is said: it is no surprise */
  says?: RegExp;
  /** They move after all. */
  moves?: true;
  /** Its clients close by themselves after so many requests: it knows no `Connection: close`. */
  lifeRequests?: number;
  /** It leaves no count of its requests behind. */
  countless?: true;
}

const APPS: Odd[] = [
  {
    does: 'opts out',
    app: `
      const server = http.createServer(handle).listen(process.env.PORT);
      server[Symbol.for('zdsup.handover')] = false;`,
  },
  {
    does: 'replaces server.emit',
    says: /replaced its server's emit/,
    app: `
      const server = http.createServer(handle);
      const emit = server.emit;
      server.emit = function (name, ...values) {
        return emit.call(this, name, ...values);
      };
      server.listen(process.env.PORT);`,
  },
  {
    does: 'replaces server.emit later, when it has served for a while',
    says: /replaced its server's emit/,
    app: `
      const server = http.createServer(handle).listen(process.env.PORT);
      setTimeout(() => {
        const emit = server.emit;
        server.emit = function (name, ...values) {
          return emit.call(this, name, ...values);
        };
      }, 200);`,
  },
  {
    does: 'reads along in a connection handler of its own',
    says: /reads from its sockets by itself/,
    app: `
      http
        .createServer(handle)
        .on('connection', (socket) => socket.on('data', (chunk) => (global.bytes = (global.bytes ?? 0) + chunk.length)))
        .listen(process.env.PORT);`,
  },
  {
    does: "puts its own connection handler before node's, which gets the socket when the first bytes are there",
    says: /a connection handler in the place of Node's/,
    app: `
      const server = http.createServer(handle);
      const [parse] = server.listeners('connection');
      server.removeAllListeners('connection');
      server.on('connection', (socket) =>
        socket.once('data', (chunk) => {
          socket.pause();
          socket.unshift(chunk);
          parse.call(server, socket);
          socket.resume();
        }),
      );
      server.listen(process.env.PORT);`,
  },
  {
    does: 'gives the sockets of a net server to an http server',
    app: `
      const server = http.createServer(handle);
      net.createServer((socket) => server.emit('connection', socket)).listen(process.env.PORT);`,
    mix: UNPIPELINED,
  },
  {
    does: 'wraps each socket in a stream of its own',
    app: `
      const { Duplex } = require('node:stream');
      class Wrapped extends Duplex {
        constructor(socket) {
          super({ allowHalfOpen: false });
          this.inner = socket;
          socket.on('data', (chunk) => this.push(chunk) || socket.pause());
          socket.on('end', () => this.push(null));
          socket.on('error', (error) => this.destroy(error));
          socket.on('close', () => this.destroy());
        }
        _read() {
          this.inner.resume();
        }
        _write(chunk, encoding, done) {
          this.inner.write(chunk, encoding, () => done());
        }
        _final(done) {
          this.inner.end(() => done());
        }
        _destroy(error, done) {
          this.inner.destroy();
          done(error);
        }
        setTimeout() {}
        setNoDelay() {}
        setKeepAlive() {}
      }
      const server = http.createServer(handle);
      net.createServer((socket) => server.emit('connection', new Wrapped(socket))).listen(process.env.PORT);`,
    mix: UNPIPELINED,
  },
  {
    does: 'has a class in the place of net.Socket',
    says: /replaced net\.Socket/,
    app: `
      const { Socket } = net;
      net.Socket = class extends Socket {
        constructor(...values) {
          super(...values);
          this.since = Date.now();
        }
        write(...values) {
          return super.write(...values);
        }
        destroy(...values) {
          return super.destroy(...values);
        }
      };
      http.createServer(handle).listen(process.env.PORT);`,
  },
  {
    does: 'makes servers of its own class, with a prototype of its own',
    moves: true,
    app: `
      class Server extends http.Server {
        emit(name, ...values) {
          return super.emit(name, ...values);
        }
        close(done) {
          return super.close(done);
        }
      }
      new Server(handle).listen(process.env.PORT);`,
  },
  {
    does: 'has an HTTP parser of its own over net',
    countless: true,
    app: `
      const { createHash } = require('node:crypto');
      net
        .createServer((socket) => {
          let text = '';
          socket.on('error', () => {});
          socket.on('data', (chunk) => {
            text += chunk;
            for (let end; (end = text.indexOf('\\r\\n\\r\\n')) >= 0; text = text.slice(end + 4)) {
              const [, connection, seq, size] = /^GET \\/([^/]+)\\/(\\d+)\\?answer=(\\d+) /.exec(text);
              const body = answer(connection, seq, 0, createHash('sha1'), Number(size));
              socket.write(
                \`HTTP/1.1 200 OK\\r\\nX-Pid: \${process.pid}\\r\\nX-Generation: \${headers['X-Generation']}\\r\\nContent-Length: \${body.length}\\r\\n\\r\\n\${body}\`,
              );
            }
          });
        })
        .listen(process.env.PORT);`,
    mix: PLAIN,
    lifeRequests: 20,
  },
  {
    does: 'ends TLS by itself in front of an http server that listens as well',
    says: /gives the sockets of one server to another/,
    app: `
      const server = http.createServer(handle).listen(0);
      const options = { key: ${pem('key')}, cert: ${pem('cert')} };
      require('node:tls').createServer(options, (socket) => server.emit('connection', socket)).listen(process.env.PORT);`,
    tls: true,
    mix: UNPIPELINED,
  },
  {
    does: 'speaks HTTPS',
    app: `require('node:https').createServer({ key: ${pem('key')}, cert: ${pem('cert')} }, handle).listen(process.env.PORT);`,
    tls: true,
    mix: UNPIPELINED,
  },
];

test.each(APPS)(
  'an app that $does loses nothing over two reloads',
  async ({ app, tls, mix, lifeRequests, says, moves, countless }) => {
    const { master, port, seenByWorkers } = await startNumbered({
      config: { instances: 1 },
      app: `const http = require('node:http');\nconst net = require('node:net');\n${app}`,
    });
    const load = startTorture(
      { port, ...(tls && { tls }) },
      { connections: 20, seed: 4, mix: mix ?? TORTURE, ...(lifeRequests && { lifeRequests }) },
    );
    await load.reached(300);
    for (let count = 0; count < 2; count++) await reload(master);
    await load.reached(load.tally.answered + 300);
    const tally = await load.stop();
    expect(
      master.log.filter(({ kind }) => kind === 'worker-exited'),
      master.transcript(),
    ).toEqual([]);
    expect(master.stderrLines, 'nothing is heard from the app').toEqual([]);
    expectNothingBad(tally);
    expect(
      Object.keys(tally.closed).filter((how) => how !== 'announced'),
      tallyLine(tally),
    ).toEqual([]);
    const said = master.log.map(({ msg }) => msg).filter((msg) => msg.includes('not handed over'));
    expect(said).toHaveLength(says ? 1 : 0);
    if (says) expect(said[0]).toMatch(says);
    expect(tally.moves > 0, tallyLine(tally)).toBe(moves ?? false);
    if (countless) return;
    const { requests } = await seenByWorkers();
    expect(requests, `each request was served once, or not at all; ${tallyLine(tally)}`).toBe(tally.answered);
  },
);
