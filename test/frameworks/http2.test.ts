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

/** `answered` and `lost` as for any load, and what Node's client has taken back by itself. */
interface Story {
  tally: Tally;
  /**
   * Requests that the client had accepted and not yet written when it read the GOAWAY: it refuses those itself, as REFUSED_STREAM. They
   * never left it, so they are asked again (RFC 9113, 8.7). The app's own count proves that none of them had reached it.
   */
  takenBack: number;
}

/** As the documentation of node:http2 writes a client; a session that has read a GOAWAY, which `closed` says, is replaced by a new one. */
async function client(url: string, story: Story, isOver: () => boolean): Promise<void> {
  const ends: Promise<unknown>[] = [];
  let current: http2.ClientHttp2Session | undefined;
  const session = (): http2.ClientHttp2Session => {
    if (current && !current.closed && !current.destroyed) return current;
    const opened = http2.connect(url, { rejectUnauthorized: false });
    opened.on('error', ({ code, message }: NodeJS.ErrnoException) =>
      countLost(story.tally, `session: ${code ?? message}`),
    );
    ends.push(new Promise((closed) => opened.once('close', closed)));
    current = opened;
    return opened;
  };
  const requests = Array.from({ length: STREAMS }, async () => {
    while (!isOver()) while (!(await isSettled(session(), story)));
  });
  await Promise.all(requests);
  current?.close();
  await Promise.all(ends);
}

/** One stream; settles with whether that was it: else it is to be asked again. */
function isSettled(session: http2.ClientHttp2Session, story: Story): Promise<boolean> {
  return new Promise((settle) => {
    const askedAt = performance.now();
    const stream = session.request({ ':path': '/' });
    let [body, hasEnded] = ['', false];
    let cause: string | undefined;
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => (body += chunk));
    stream.on('end', () => (hasEnded = true));
    stream.on('error', (error: NodeJS.ErrnoException) => (cause = `${error.code}: ${error.message}`));
    stream.on('close', () => {
      const isTakenBack = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
      if (isTakenBack) story.takenBack += 1;
      else if (hasEnded && !cause && /^pid \d+$/.test(body)) countAnswered(story.tally, body, askedAt);
      else countLost(story.tally, cause ?? `closed with ${stream.rstCode}, answered ${JSON.stringify(body)}`);
      settle(!isTakenBack);
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
    const story: Story = { tally: emptyTally(), takenBack: 0 };
    const { tally } = story;
    let over = false;
    const running = Array.from({ length: CLIENTS }, () => client(`${scheme}://127.0.0.1:${port}`, story, () => over));
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
    tell(
      `HTTP/2 ${name}`,
      `${tally.answered} streams answered, ${lostCount(tally)} lost (${story.takenBack} taken back by the client, asked again)`,
    );
    expect(lostCount(tally), `${JSON.stringify(tally.lost)}\n${master.transcript()}`).toBe(0);
    expect(tally.answeredBy.size, 'workers of many generations have answered').toBeGreaterThan(RELOADS);
    expect((await master.run('stop')).code).toBe(0);
    await master.exited();
    const seen = master.stdoutLines.map((line) => Number(/^(\d+) streams$/.exec(line)?.[1]));
    expect(
      seen.reduce((sum, count) => sum + count),
      'each stream that has reached the app was answered',
    ).toBe(tally.answered);
  },
);
