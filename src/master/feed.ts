/**
 * Runs in the master. The one stream of what is seen from outside: a snapshot once a second, made once for all who are subscribed, and each step as it is told.
 * While nobody is, there is no timer and figures are held by nobody here. Knows no socket: the control socket and the web server carry it on.
 */
import type { Progress } from '../shared/control-protocol.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import type { Observer } from './effects.js';
import type { FiguresSwitch } from './figures-switch.js';

/** In ms. */
export const SAMPLE_MS = 1_000;

export type FeedMessage = { type: 'sample'; app: AppSnapshot } | { type: 'event'; event: Progress };
export type FeedListener = (message: FeedMessage) => void;

export interface FeedOptions {
  /** Never rejects while the master lives. */
  snapshot(): Promise<AppSnapshot>;
  observers: Set<Observer>;
  figures: Pick<FiguresSwitch, 'hold'>;
  /** Figures cannot be had: samples come without. */
  warn(message: string): void;
}

export class Feed {
  private readonly listeners = new Set<FeedListener>();
  private timer: NodeJS.Timeout | null = null;
  private sampling = false;
  private last: AppSnapshot | null = null;
  private letGo: () => void = () => {};
  private readonly observer: Observer = { progress: (event) => this.tell({ type: 'event', event }) };

  constructor(private readonly options: FeedOptions) {}

  /**
   * The first sample comes as soon as it is made, then one a second. A listener is called in the turn in which something happens, and must not throw.
   * @returns ends it
   */
  subscribe(listener: FeedListener): () => void {
    const own: FeedListener = (message) => listener(message); // One that is given twice is two.
    this.listeners.add(own);
    if (this.listeners.size === 1) this.begin();
    else if (this.last) own({ type: 'sample', app: this.last });
    return () => {
      if (this.listeners.delete(own) && this.listeners.size === 0) this.end();
    };
  }

  /** The last sample; null where nobody is subscribed, or none was made yet. */
  latest(): AppSnapshot | null {
    return this.last;
  }

  private begin(): void {
    const { observers, figures, warn } = this.options;
    observers.add(this.observer);
    const timer = setInterval(() => this.sample(), SAMPLE_MS).unref();
    this.timer = timer;
    const isOver = (): boolean => this.timer !== timer;
    void figures.hold().then(
      (letGo) => {
        if (isOver()) letGo();
        else this.letGo = letGo;
        this.sample();
      },
      (error: Error) => {
        warn(`figures cannot be had: ${error.message.split('\n')[0]}`);
        this.sample();
      },
    );
  }

  private end(): void {
    this.options.observers.delete(this.observer);
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.last = null;
    this.letGo();
    this.letGo = () => {};
  }

  /** One at a time: where a host is starved, a sample is left out, and never two are made at once. */
  private sample(): void {
    if (this.sampling || this.timer === null) return;
    this.sampling = true;
    void this.options.snapshot().then(
      (app) => {
        this.sampling = false;
        if (this.timer === null) return;
        this.last = app;
        this.tell({ type: 'sample', app });
      },
      () => {
        this.sampling = false;
      },
    );
  }

  private tell(message: FeedMessage): void {
    for (const listener of this.listeners) listener(message);
  }
}
