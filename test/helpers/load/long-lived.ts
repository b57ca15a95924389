/**
 * Clients of what has no end of its own: each keeps one message under way, and comes back when the server has ended the connection
 * as its protocol wishes. Anything else is a loss. A message that such an end has overtaken is sent again on the next connection.
 */
import { createSocket } from 'node:dgram';
import { get } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';

export interface Story {
  acknowledged: number;
  /** Ends as the protocol wishes. */
  ends: number;
  /** What went wrong, by cause. */
  lost: Record<string, number>;
  /** Who has answered. */
  generations: Set<string>;
}

/** One connection from its opening to its end; throws what went wrong. */
export type Session = (story: Story, isOver: () => boolean) => Promise<void>;

/** No answer by then: it hangs, in ms. */
const HUNG_MS = 20_000;
/** Between two messages of a client, in ms: this is about ends, not throughput. */
const PAUSE_MS = 5;

export function startStory(session: Session, clients: number): { story: Story; stop(): Promise<Story> } {
  const story: Story = { acknowledged: 0, ends: 0, lost: {}, generations: new Set() };
  let over = false;
  const running = Array.from({ length: clients }, async () => {
    while (!over) {
      try {
        await session(story, () => over);
      } catch (error) {
        const cause = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
        story.lost[cause] = (story.lost[cause] ?? 0) + 1;
        await pause();
      }
    }
  });
  return {
    story,
    async stop() {
      over = true;
      await Promise.all(running);
      return story;
    },
  };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** Pieces as they come, until a clean end (null); rejects on anything else. */
class Inbox {
  private readonly pieces: string[] = [];
  private over: string | null = null;
  private wake: () => void = () => {};

  put(piece: string): void {
    this.pieces.push(piece);
    this.wake();
  }

  end(how: string): void {
    this.over ??= how;
    this.wake();
  }

  next(): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.wake = () => {};
        act();
      };
      const timer = setTimeout(() => finish(() => reject(new Error('hung'))), HUNG_MS);
      this.wake = () => {
        if (this.pieces.length > 0) finish(() => resolve(this.pieces.shift()!));
        else if (this.over === 'clean') finish(() => resolve(null));
        else if (this.over !== null) finish(() => reject(new Error(this.over!)));
      };
      this.wake();
    });
  }
}

/** The first piece is the generation, each further one the echo of what was sent. */
async function echoes(
  inbox: Inbox,
  send: (text: string) => void,
  story: Story,
  isOver: () => boolean,
): Promise<'over' | 'ended'> {
  const generation = await inbox.next();
  if (generation === null) throw new Error('ended before it began');
  story.generations.add(generation);
  for (let n = 0; !isOver(); n++) {
    send(`message ${n}`);
    const answer = await inbox.next();
    if (answer === null) return 'ended';
    if (answer !== `message ${n}`) throw new Error(`wrong: ${answer}`);
    story.acknowledged += 1;
    await pause();
  }
  return 'over';
}

/** Lines over any stream; its end as wished is a FIN between two lines. */
export const lines =
  (open: () => Socket): Session =>
  async (story, isOver) => {
    const socket = open();
    const inbox = new Inbox();
    let text = '';
    socket.on('data', (chunk) => {
      const all = (text + String(chunk)).split('\n');
      text = all.pop()!;
      for (const line of all) inbox.put(line);
    });
    socket.on('end', () => inbox.end(text === '' ? 'clean' : 'truncated'));
    socket.on('error', (error: NodeJS.ErrnoException) => inbox.end(error.code ?? error.message));
    socket.on('close', () => inbox.end('closed without an end'));
    const how = await echoes(inbox, (line) => socket.writable && socket.write(`${line}\n`), story, isOver);
    if (how === 'ended') story.ends += 1;
    // What comes after the end, a reset say, is the client's as well.
    await new Promise((closed) => (socket.closed ? closed(null) : socket.once('close', closed).end()));
    if (socket.errored) throw socket.errored;
  };

export const webSocket =
  (port: number): Session =>
  async (story, isOver) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const inbox = new Inbox();
    socket.on('message', (data) => inbox.put(String(data)));
    socket.on('error', (error: NodeJS.ErrnoException) => inbox.end(error.code ?? error.message));
    socket.on('close', (code) => inbox.end(code === 1012 ? 'clean' : `close code ${code}`));
    const send = (text: string): void => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    };
    if ((await echoes(inbox, send, story, isOver)) === 'ended') story.ends += 1;
    else socket.terminate();
  };

/** Server-sent events with consecutive numbers; their end as wished is that of the response. */
export const events =
  (port: number): Session =>
  async (story, isOver) => {
    const inbox = new Inbox();
    const request = get({ port, host: '127.0.0.1', agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        const all = (text + String(chunk)).split('\n\n');
        text = all.pop()!;
        for (const event of all) inbox.put(event.replace('data: ', ''));
      });
      response.on('end', () => inbox.end(response.complete && text === '' ? 'clean' : 'truncated'));
      response.on('error', (error: NodeJS.ErrnoException) => inbox.end(error.code ?? error.message));
    });
    request.on('error', (error: NodeJS.ErrnoException) => inbox.end(error.code ?? error.message));
    const generation = await inbox.next();
    if (generation !== null) story.generations.add(generation);
    for (let id = 0; !isOver(); id++) {
      const event = await inbox.next();
      if (event === null) {
        story.ends += 1;
        return;
      }
      if (event !== String(id)) throw new Error(`event ${id} is missing, ${event} came`);
      story.acknowledged += 1;
    }
    request.destroy();
  };

/** No connection, so no end: each datagram is answered. */
export const datagrams =
  (port: number): Session =>
  async (story, isOver) => {
    const socket = createSocket('udp4');
    const inbox = new Inbox();
    socket.on('message', (data) => inbox.put(String(data)));
    socket.on('error', (error: NodeJS.ErrnoException) => inbox.end(error.code ?? error.message));
    try {
      for (let n = 0; !isOver(); n++) {
        socket.send(String(n), port, '127.0.0.1');
        const [generation, echo] = ((await inbox.next()) ?? '').split(' ');
        if (echo !== String(n)) throw new Error(`wrong: ${echo}`);
        story.generations.add(generation!);
        story.acknowledged += 1;
        await pause();
      }
    } finally {
      socket.close();
    }
  };
