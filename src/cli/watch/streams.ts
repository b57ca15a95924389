/**
 * Runs in the CLI. What each master says of itself once a second, of all that are watched: a stream each, begun when it is first asked for and again after it
 * has ended. A master that says nothing for a while is asked, and so is one of a version that has no stream.
 */
import type { RunningApp } from '../../client/apps.js';
import { watch } from '../../client/watch.js';
import type { Progress } from '../../shared/control-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';

/** In ms: two samples and a half. */
const FRESH_MS = 2_500;

export interface StreamEvents {
  sample(app: AppSnapshot): void;
  progress(app: string, progress: Progress): void;
}

interface Stream {
  hangUp: AbortController;
  last: { app: AppSnapshot; at: number } | null;
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

  private begin({ name, socketPath }: RunningApp): Stream {
    const stream: Stream = { hangUp: new AbortController(), last: null };
    this.streams.set(socketPath, stream);
    const isOver = (): boolean => this.streams.get(socketPath) !== stream;
    const over = (): unknown => isOver() || this.forget(socketPath);
    watch(
      socketPath,
      (app) => {
        if (isOver()) return;
        stream.last = { app: { ...app, name }, at: this.now() }; // Another user's has that user's name before it.
        this.events.sample(stream.last.app);
      },
      { signal: stream.hangUp.signal, onProgress: (progress) => isOver() || this.events.progress(name, progress) },
    ).then((result) => {
      // Refused: it is of a version that knows no stream, and is asked instead as long as it runs.
      if (result?.ok) over();
      else stream.last = null;
    }, over);
    return stream;
  }

  private forget(path: string): void {
    const stream = this.streams.get(path);
    this.streams.delete(path);
    stream?.hangUp.abort();
  }
}
