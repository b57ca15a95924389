/**
 * Runs in the CLI. What each master says of itself once a second, of all that are watched: a stream each, begun when it is first asked for and again after it
 * has ended. A master that says nothing for a while is asked, and so is one of a version that has no stream. After a step it is asked at once: what it said
 * last is of before.
 */
import type { RunningApp } from '../../client/apps.js';
import { watch } from '../../client/watch.js';
import type { Progress } from '../../shared/control-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';

/** In ms: two samples and a half. */
const FRESH_MS = 2_500;
/** After a step it is asked no more often than that, in ms: where there are many workers, one step follows the other. */
const STEP_MS = 200;

export interface StreamEvents {
  sample(app: AppSnapshot): void;
  progress(app: string, progress: Progress): void;
}

interface Stream {
  hangUp: AbortController;
  last: { app: AppSnapshot; at: number } | null;
  /** It is asked after a step: now, or again after a pause. `again`: another one came meanwhile. */
  looking: { now: boolean; again: boolean } | null;
}

export class Streams {
  /** By socket path. */
  private readonly streams = new Map<string, Stream>();

  /** @param askFor asks once; null where nobody answers @param now as of `performance.now()` */
  constructor(
    private readonly askFor: (app: RunningApp) => Promise<AppSnapshot | null>,
    private readonly events: StreamEvents,
    private readonly now: () => number = () => performance.now(),
  ) {}

  async ask(app: RunningApp): Promise<AppSnapshot | null> {
    const { last } = this.streams.get(app.socketPath) ?? this.begin(app);
    if (last && this.now() - last.at < FRESH_MS) return last.app;
    const found = await this.askFor(app);
    // One that has no stream may be followed by one that has.
    if (found === null) this.forget(app.socketPath);
    return found;
  }

  end(): void {
    for (const path of this.streams.keys()) this.forget(path);
  }

  private begin(running: RunningApp): Stream {
    const { name, socketPath } = running;
    const stream: Stream = { hangUp: new AbortController(), last: null, looking: null };
    this.streams.set(socketPath, stream);
    const isOver = (): boolean => this.streams.get(socketPath) !== stream;
    const over = (): unknown => isOver() || this.forget(socketPath);
    watch(
      socketPath,
      (app) => {
        if (isOver()) return;
        if (stream.looking?.now) stream.looking.again = true; // Which of the two is later, nobody knows.
        this.take(stream, { ...app, name }); // Another user's has that user's name before it.
      },
      {
        signal: stream.hangUp.signal,
        onProgress: (progress) => {
          if (isOver()) return;
          this.events.progress(name, progress);
          if (stream.looking) stream.looking.again = true;
          else void this.lookAfterStep(running, stream, isOver);
        },
      },
    ).then((result) => {
      // Refused: it is of a version that knows no stream, and is asked instead as long as it runs.
      if (result?.ok) over();
      else stream.last = null;
    }, over);
    return stream;
  }

  private take(stream: Stream, app: AppSnapshot): void {
    stream.last = { app, at: this.now() };
    this.events.sample(app);
  }

  /** One look at a time, and another one where something happened meanwhile. */
  private async lookAfterStep(running: RunningApp, stream: Stream, isOver: () => boolean): Promise<void> {
    const looking = { now: false, again: true };
    stream.looking = looking;
    while (looking.again && !isOver()) {
      Object.assign(looking, { now: true, again: false });
      const app = await this.askFor(running).catch(() => null);
      looking.now = false;
      // One that does not answer now may go on with its stream, or be found out there.
      if (app !== null && app.state !== 'unresponsive' && !looking.again && !isOver()) this.take(stream, app);
      await new Promise((resolve) => setTimeout(resolve, STEP_MS).unref());
    }
    stream.looking = null;
  }

  private forget(path: string): void {
    const stream = this.streams.get(path);
    this.streams.delete(path);
    stream?.hangUp.abort();
  }
}
