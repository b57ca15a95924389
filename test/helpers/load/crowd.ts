/**
 * Clients that each hold one connection and are told apart: which process has answered each of them, how often that changed, how long
 * each has waited. For apps that answer with their process id (the first line of the body). A connection that the server ends is counted,
 * announced or not.
 */
import type { Target } from './client.js';
import { Connection } from './client.js';

/** No answer by then: it hangs, in ms. */
const HUNG_MS = 20_000;

export interface CrowdOptions {
  /** Between an answer and the next request, in ms; of a function, anew each time. @default 0 */
  thinkMs?: number | (() => number);
  path?: string;
  /** A client whose connection has ended opens another one. @default false */
  comesBack?: boolean;
  /** The client's own address, by its number. */
  from?: (index: number) => string;
  /** Requests until the client leaves by itself and comes anew. @default no end */
  stays?: () => number;
}

export interface Client {
  /** Who answered last. */
  by: string;
  /** How often another process answered than before, on one connection. */
  moves: number;
  answered: number;
}

export interface Crowd {
  readonly clients: Client[];
  /** What went wrong, by cause: answers that did not come, or did not come whole. */
  readonly lost: Record<string, number>;
  /** Connections that the server ended: announced ones, which lose nothing, among them. */
  readonly ended: number;
  readonly answered: number;
  /** Answers by process id since the last `mark`. */
  readonly answers: Map<string, number>;
  /** The longest wait of a client for an answer since the last `mark`, in ms; one that still waits counts. */
  longestMs(of?: (client: Client) => boolean): number;
  mark(): void;
  reached(answered: number): Promise<void>;
  /** Each client finishes the request it has under way. */
  stop(): Promise<void>;
}

interface Waiting extends Client {
  askedAt: number | null;
  longestMs: number;
}

export function gather(target: Target, count: number, options: CrowdOptions = {}): Crowd {
  const state = { stopping: false, ended: 0, answered: 0 };
  const lost: Record<string, number> = {};
  const answers = new Map<string, number>();
  const clients = Array.from({ length: count }, (): Waiting => {
    return { by: '', moves: 0, answered: 0, askedAt: null, longestMs: 0 };
  });
  const waiters = new Set<() => void>();
  const pauses = new Set<() => void>();
  const request = `GET ${options.path ?? '/'} HTTP/1.1\r\nHost: app\r\n\r\n`;

  const think = (): Promise<void> | undefined => {
    const { thinkMs = 0 } = options;
    const ms = typeof thinkMs === 'number' ? thinkMs : thinkMs();
    if (ms === 0) return undefined;
    return new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        pauses.delete(over);
        resolve();
      };
      const timer = setTimeout(over, ms);
      pauses.add(over);
    });
  };

  async function visit(client: Waiting, index: number): Promise<void> {
    const from = options.from?.(index);
    client.askedAt = performance.now();
    const connection = await Connection.open({ ...target, ...(from === undefined ? {} : { from }) });
    if (typeof connection === 'string') {
      lost[connection] = (lost[connection] ?? 0) + 1;
      return;
    }
    connection.socket.once('close', () => {
      if (!left) state.ended += 1;
    });
    let left = false;
    let by = '';
    const visits = options.stays?.() ?? Number.POSITIVE_INFINITY;
    for (let asked = 0; asked < visits && !state.stopping; asked++) {
      client.askedAt = performance.now();
      connection.socket.write(request);
      const response = await connection.response(HUNG_MS);
      if (typeof response === 'string' || response.status !== 200) {
        const why = typeof response === 'string' ? response : `status ${response.status}`;
        lost[why] = (lost[why] ?? 0) + 1;
        break;
      }
      client.longestMs = Math.max(client.longestMs, performance.now() - client.askedAt);
      client.askedAt = null;
      const who = response.body.split('\n', 1)[0]!;
      if (by !== '' && by !== who) client.moves += 1;
      by = who;
      client.by = who;
      client.answered += 1;
      state.answered += 1;
      answers.set(who, (answers.get(who) ?? 0) + 1);
      for (const look of waiters) look();
      if (response.closes) break;
      const pause = think();
      if (pause) await pause;
      if (!connection.isOpen) break;
    }
    client.askedAt = null;
    left = connection.isOpen;
    connection.end();
  }

  const running = clients.map(async (client, index) => {
    do {
      await visit(client, index);
      if (!state.stopping) await new Promise(setImmediate);
    } while (!state.stopping && (options.comesBack === true || options.stays !== undefined));
  });

  return {
    clients,
    lost,
    answers,
    get ended() {
      return state.ended;
    },
    get answered() {
      return state.answered;
    },
    longestMs: (of = () => true) =>
      Math.max(
        0,
        ...clients
          .filter(of)
          .map(({ longestMs, askedAt }) => Math.max(longestMs, askedAt === null ? 0 : performance.now() - askedAt)),
      ),
    mark() {
      answers.clear();
      for (const client of clients) client.longestMs = 0;
    },
    reached: (answered) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (state.answered < answered) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      }),
    async stop() {
      state.stopping = true;
      for (const over of pauses) over();
      await Promise.all(running);
    },
  };
}

/** The busiest over the mean: 1 is even. `workers`: how many there are, also where some have nothing. */
export function busiestOverMean(counts: Iterable<number>, workers: number): number {
  const all = [...counts];
  const sum = all.reduce((total, count) => total + count, 0);
  return sum === 0 ? Number.POSITIVE_INFINITY : Math.max(...all) / (sum / workers);
}
