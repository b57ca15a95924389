// Runs in the load process. One TCP connection that speaks HTTP/1.1, one request at a time. Node's own http client hides what is to be
// told apart here: an answer, a close that was announced, a close of an idle connection, and a request that was lost to one.
import { connect } from 'node:net';

const KEEP_ALIVE = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
const CLOSE = 'GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n';

/** One whole answer at the start of `text`: who answered, and whether it is the last of its connection; null while it is not whole. */
export function parseAnswer(text) {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const head = text.slice(0, headEnd + 2);
  const length = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? 0);
  if (text.length < headEnd + 4 + length) return null;
  return { worker: /\r\nx-worker: (\S+)\r\n/i.exec(head)?.[1] ?? '?', last: /\r\nconnection: close\r\n/i.test(head) };
}

export class Connection {
  /** When the request that is under way was sent, by `performance.now()`; null between requests. */
  sentAt = null;
  /** Whether the server has said that it will close. */
  announced = false;
  #socket;
  #text = '';

  /** `answered(connection, answer)` for each answer; `gone(connection, code)` once, when it has ended: ECONNREFUSED, ECONNRESET, ... or 'closed'. */
  constructor(port, { answered, gone }) {
    let code = 'closed';
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
      .setEncoding('latin1')
      .on('error', (error) => {
        code = error.code;
      })
      .on('close', () => gone(this, code))
      .on('data', (chunk) => {
        this.#text += chunk;
        const answer = parseAnswer(this.#text);
        if (answer === null) return;
        this.#text = '';
        this.sentAt = null;
        this.announced = answer.last;
        answered(this, answer);
      });
  }

  request(last) {
    this.sentAt = performance.now();
    this.#socket.write(last ? CLOSE : KEEP_ALIVE);
  }

  /** Ends it from the client's side. */
  destroy() {
    this.#socket.destroy();
  }
}
