/** HTTP/2 with Node's own server and Node's own client: ten reloads under load lose no stream. Frame by frame: test/integration/http2-drain. */
import http2 from 'node:http2';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Tally } from '../helpers/load/tally.js';
import { countAnswered, countLost, emptyTally, lostCount } from '../helpers/load/tally.js';
import { until } from '../helpers/until.js';
import { APPS } from './places.js';
import { RELOADS, reloadTenTimes, startApp, tell } from './reloads.js';

const CERTIFICATE = fileURLToPath(new URL('../fixtures/load-app', import.meta.url));
const CLIENTS = 6;
const STREAMS = 5;

/**
 * A client as the documentation of node:http2 writes it. A session that may open no more streams, which Node's client says by
 * `closed` once it has read a GOAWAY, is replaced; every stream that was opened is owed an answer.
 */
async function client(url: string, tally: Tally, isOver: () => boolean): Promise<void> {
  const ends: Promise<unknown>[] = [];
  while (!isOver()) {
    const session = http2.connect(url, { rejectUnauthorized: false });
    session.on('error', (error: NodeJS.ErrnoException) => countLost(tally, `session: ${error.code ?? error.message}`));
    ends.push(new Promise((closed) => session.once('close', closed)));
    const streams = Array.from({ length: STREAMS }, async () => {
      while (!isOver() && !session.closed && !session.destroyed) await oneStream(session, tally);
    });
    await Promise.all(streams);
    session.close();
  }
  await Promise.all(ends);
}

function oneStream(session: http2.ClientHttp2Session, tally: Tally): Promise<void> {
  return new Promise((done) => {
    const askedAt = performance.now();
    const stream = session.request({ ':path': '/' });
    let body = '';
    let ended = false;
    let cause: string | undefined;
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => (body += chunk));
    stream.on('end', () => (ended = true));
    stream.on('error', (error: NodeJS.ErrnoException) => (cause = `${error.code}: ${error.message}`));
    stream.on('close', () => {
      if (ended && !cause && /^pid \d+$/.test(body)) countAnswered(tally, body, askedAt);
      else countLost(tally, cause ?? `closed with ${stream.rstCode}, answered ${JSON.stringify(body)}`);
      done();
    });
  });
}

test.each([
  ['clear text', 'http', {}],
  ['TLS', 'https', { TLS_FOLDER: CERTIFICATE }],
] as [string, string, Record<string, string>][])(
  "HTTP/2 with Node's own client, %s: ten reloads under load lose no stream",
  async (name, scheme, env) => {
    const { master, port } = await startApp(join(APPS, 'http2.cjs'), env);
    const tally = emptyTally();
    let over = false;
    const running = Array.from({ length: CLIENTS }, () => client(`${scheme}://127.0.0.1:${port}`, tally, () => over));
    const answers = (more: number) =>
      until(
        'streams are answered',
        () => tally.answered,
        (n) => n >= more,
        60_000,
      );
    await answers(CLIENTS);

    await reloadTenTimes(master);

    await answers(tally.answered + CLIENTS * STREAMS);
    over = true;
    await Promise.all(running);
    tell(`HTTP/2 ${name}`, `${tally.answered} streams answered, ${lostCount(tally)} lost`);
    expect(lostCount(tally), `${JSON.stringify(tally.lost)}\n${master.transcript()}`).toBe(0);
    expect(tally.answeredBy.size, 'workers of many generations have answered').toBeGreaterThan(RELOADS);
    expect((await master.run('stop')).code).toBe(0);
  },
);
