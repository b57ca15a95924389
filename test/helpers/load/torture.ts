/**
 * Keep-alive connections, each a sequence of numbered requests in random shapes: split at any byte, half sent, pipelined, with
 * large bodies, after an idle gap or with none. Each answer must be the right one, whole, in its turn and once, on a connection
 * that nobody closes.
 */
import { Random } from '../chaos/random.js';
import type { Target } from './client.js';
import { Connection } from './client.js';
import type { Load, Run } from './load.js';
import { runNumberedClients } from './load.js';
import type { Batch, Mix } from './numbered-requests.js';
import { drawBatch, TORTURE } from './numbered-requests.js';
import type { RawResponse } from './response-reader.js';
import type { TortureTally } from './torture-tally.js';
import { countClosed, emptyTortureTally, note } from './torture-tally.js';

export interface TortureOptions {
  connections: number;
  seed: number;
  /** @default TORTURE */
  mix?: Mix;
  /** Longest idle gap between requests, in ms. @default 50 */
  gapMs?: number;
  /** Longest time a connection is open before its first request, in ms. @default 200 */
  unusedMs?: number;
  /** Without an answer for so long, a request hangs, in ms. @default 10_000 */
  hungMs?: number;
  /** So many requests, and the client closes by itself. @default no end */
  lifeRequests?: number;
  /** Told of each right answer: by which client, from which worker, and what it waited. */
  onAnswer?(client: number, pid: number, waitedMs: number): void;
  /** Told of all else: requests that go wrong, connections that end. */
  onFault?(client: number, what: string): void;
}

/** Loads that run at the same time must not take each other's answers for their own. */
let loadCount = 0;

export function startTorture(target: Target, options: TortureOptions): Load<TortureTally> {
  const load = loadCount++;
  return runNumberedClients(options.connections, emptyTortureTally(), (run, number) =>
    new Client(target, { ...DEFAULTS, ...options }, run, `${load}.${number}`, number).run(),
  );
}

const DEFAULTS = {
  mix: TORTURE,
  gapMs: 50,
  unusedMs: 200,
  hungMs: 10_000,
  lifeRequests: Number.POSITIVE_INFINITY,
  onAnswer: () => {},
  onFault: () => {},
};

/** A client's own pace: it is the load's shape, and waits for nothing. */
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => void (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));

class Client {
  private readonly random: Random;
  private connectionCount = 0;

  constructor(
    private readonly target: Target,
    private readonly options: Required<TortureOptions>,
    private readonly load: Run<TortureTally>,
    private readonly name: string,
    private readonly number: number,
  ) {
    this.random = new Random(options.seed * 1_000_003 + number);
  }

  /** Where the server closes a connection, another one goes on in its place. */
  async run(): Promise<void> {
    const { tally } = this.load;
    while (!this.load.isStopping) {
      const connection = await Connection.open(this.target);
      if (typeof connection === 'string') {
        tally.refused += 1;
        note(tally, connection);
        this.load.counted();
        await pause(10);
        continue;
      }
      tally.opened += 1;
      await this.converse(connection);
      connection.end();
    }
  }

  private async converse(connection: Connection): Promise<void> {
    const { mix, gapMs, unusedMs, lifeRequests } = this.options;
    const name = `${this.name}.${this.connectionCount++}`;
    const answers = new Answers(name, this.number, connection, this.load, this.options);
    await pause(this.random.between(0, unusedMs));
    for (let seq = 0; !this.load.isStopping && seq < lifeRequests; ) {
      if (!connection.isOpen) break;
      const batch = drawBatch(name, seq, mix, this.random);
      seq += batch.requests.length;
      if (!(await answers.toBatch(batch))) return;
      if (gapMs > 0 && this.random.next() < 0.7) await pause(this.random.between(0, gapMs));
    }
    if (!connection.isOpen) answers.closedBetween(connection.howItEnded);
    if (connection.hasUnread) this.load.tally.duplicated += 1;
  }
}

/** What comes back on one connection, judged. */
class Answers {
  /** Asked for and not answered, in order. */
  private owed = new Map<number, string>();
  private lastPid: string | undefined;

  constructor(
    private readonly name: string,
    private readonly client: number,
    private readonly connection: Connection,
    private readonly load: Run<TortureTally>,
    private readonly options: Required<TortureOptions>,
  ) {}

  closedBetween(how: string): void {
    countClosed(this.load.tally, how);
    this.options.onFault(this.client, how);
  }

  /** Returns whether the connection goes on. */
  async toBatch({ requests, pieces }: Batch): Promise<boolean> {
    for (const { seq, answer } of requests) this.owed.set(seq, answer);
    let askedAt = performance.now();
    const written = this.write(pieces).then(() => {
      askedAt = performance.now();
    });
    while (this.owed.size > 0) {
      const response = await this.connection.response(this.options.hungMs);
      if (typeof response === 'string') return this.over(response);
      this.judge(response, performance.now() - askedAt);
      this.load.counted();
      if (response.closes) return this.over('announced');
    }
    await written;
    return true;
  }

  private async write(pieces: Batch['pieces']): Promise<void> {
    for (const [index, { bytes, pauseMs }] of pieces.entries()) {
      if (!this.connection.isOpen) return;
      this.connection.socket.write(bytes);
      if (index < pieces.length - 1) await pause(pauseMs);
    }
  }

  private judge(response: RawResponse, waitedMs: number): void {
    const { tally } = this.load;
    const [number = '', seqText] = response.body.split(' ', 2);
    const seq = Number(seqText);
    const turn = this.owed.keys().next().value!;
    const answer = this.owed.get(seq);
    if (response.status !== 200 || number !== this.name) this.bad('wrong', `${response.status} ${response.body}`, turn);
    else if (answer === undefined) this.bad('duplicated', response.body, turn, false);
    else if (answer !== response.body) this.bad('wrong', response.body, seq);
    else if (seq !== turn) this.bad('outOfOrder', response.body, seq);
    else {
      this.owed.delete(seq);
      tally.answered += 1;
      tally.longestMs = Math.max(tally.longestMs, waitedMs);
      this.noteWorker(response, waitedMs);
    }
  }

  private bad(what: 'wrong' | 'duplicated' | 'outOfOrder', body: string, seq: number, isAnswer = true): void {
    const { tally } = this.load;
    const turn = this.owed.keys().next().value;
    note(tally, `${what} on ${this.name}, in the turn of ${turn}: ${JSON.stringify(body.slice(0, 60))}`);
    tally[what] += 1;
    this.options.onFault(this.client, what);
    if (isAnswer) this.owed.delete(seq);
  }

  private noteWorker({ headers }: RawResponse, waitedMs: number): void {
    const { tally } = this.load;
    const pid = headers.get('x-pid');
    if (pid === undefined) return;
    if (this.lastPid !== undefined && pid !== this.lastPid) tally.moves += 1;
    this.lastPid = pid;
    const by = `${headers.get('x-generation')}:${pid}`;
    tally.answeredBy.set(by, (tally.answeredBy.get(by) ?? 0) + 1);
    tally.lastAnswerAt.set(Number(pid), Date.now());
    this.options.onAnswer(this.client, Number(pid), waitedMs);
  }

  /** All that is still owed will not come. */
  private over(how: string): false {
    const { tally } = this.load;
    if (how === 'hung') tally.hung += this.owed.size;
    else if (how === 'announced') {
      countClosed(tally, how);
      tally.unserved += this.owed.size;
    } else {
      countClosed(tally, how);
      const isCut = how.startsWith('truncated');
      if (isCut) tally.truncated += 1;
      tally.lost += this.owed.size - (isCut ? 1 : 0);
    }
    if (this.owed.size > 0) note(tally, `${how} on ${this.name}, owed ${[...this.owed.keys()].join(' ')}`);
    this.options.onFault(this.client, how);
    this.load.counted();
    return false;
  }
}
