/**
 * Clients of fixtures/chaos-app. Each request has an id of its own and is followed to its end; a loss is kept with all
 * that it takes to find out whose it was.
 */
import { Connection } from '../load/client.js';
import type { RawResponse } from '../load/response-reader.js';

export type Kind = 'keep-alive' | 'per-request' | 'upload' | 'stream';

export interface Loss {
  id: string;
  kind: Kind;
  /** What the client saw. */
  why: string;
  /** Of the connection, at this end; null where there was none. */
  port: number | null;
  openedAt: number;
  lostAt: number;
}

export interface Outcome {
  answered: Record<Kind, number>;
  /** Releases that have answered. */
  releases: Set<string>;
  losses: Loss[];
  /** Until an answer. */
  longestMs: number;
}

/** No answer by then: it hangs. Longer than any worker may stand still before it is ended for it, in ms. */
const HUNG_MS = 60_000;
/** Between two requests of a client, in ms: this is about faults, not throughput. */
const PAUSE_MS = 10;
const UPLOAD_PARTS = 8;
const PART = 'x'.repeat(2_048);

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

export function startClients(port: number, kinds: Kind[]): { outcome: Outcome; stop(): Promise<Outcome> } {
  const answered = { 'keep-alive': 0, 'per-request': 0, upload: 0, stream: 0 };
  const outcome: Outcome = { answered, releases: new Set(), losses: [], longestMs: 0 };
  const state = { over: false };
  const running = kinds.map((kind, client) => runClient(port, kind, client, outcome, state));
  return {
    outcome,
    async stop() {
      state.over = true;
      await Promise.all(running);
      return outcome;
    },
  };
}

async function runClient(
  port: number,
  kind: Kind,
  client: number,
  outcome: Outcome,
  state: { over: boolean },
): Promise<void> {
  for (let n = 0; !state.over; ) {
    const openedAt = Date.now();
    const connection = await Connection.open({ port });
    if (typeof connection === 'string') {
      const id = `${client}-${n++}`;
      outcome.losses.push({ id, kind, why: connection, port: null, openedAt, lostAt: Date.now() });
      await pause();
      continue;
    }
    const own = connection.socket.localPort!;
    for (let goesOn = true; goesOn && !state.over; ) {
      const id = `${client}-${n++}`;
      const askedAt = Date.now();
      write(connection, kind, id);
      const response = await connection.response(HUNG_MS);
      const why = typeof response === 'string' ? response : judge(response, kind);
      if (why === null) {
        outcome.longestMs = Math.max(outcome.longestMs, Date.now() - askedAt);
        outcome.answered[kind] += 1;
        outcome.releases.add((response as RawResponse).body.split(' ', 1)[0]!);
      } else outcome.losses.push({ id, kind, why, port: own, openedAt, lostAt: Date.now() });
      goesOn = why === null && kind !== 'per-request' && !(response as RawResponse).closes;
      await pause();
    }
    connection.end();
  }
}

function write({ socket }: Connection, kind: Kind, id: string): void {
  if (kind !== 'upload') {
    const closing = kind === 'per-request' ? 'Connection: close\r\n' : '';
    socket.write(`GET /${kind}/${id} HTTP/1.1\r\nHost: app\r\n${closing}\r\n`);
    return;
  }
  const length = UPLOAD_PARTS * PART.length;
  socket.write(`POST /upload/${id} HTTP/1.1\r\nHost: app\r\nContent-Length: ${length}\r\n\r\n`);
  let left = UPLOAD_PARTS;
  const timer = setInterval(() => {
    if (socket.writable) socket.write(PART);
    if (--left === 0 || !socket.writable) clearInterval(timer);
  }, 5);
}

/** Null where the answer is right. */
function judge({ status, body }: RawResponse, kind: Kind): string | null {
  if (status !== 200) return `status ${status}`;
  const rest = body.trimEnd().split('\n').slice(1).join(',');
  if (kind === 'upload' && rest !== String(UPLOAD_PARTS * PART.length)) return `of the body came ${rest} bytes`;
  if (kind === 'stream' && rest !== '0,1,2,3,4,5,6,7,8,9') return `of the stream came ${rest}`;
  return null;
}
