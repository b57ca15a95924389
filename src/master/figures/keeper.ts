/**
 * Runs in the master, while figures are on. Has the workers tell what comes of their requests, keeps how each process is, and turns the pages by which rates
 * are made. What is added up, and for whom, is in domain/figures.
 */
import { Ledger } from '../../domain/figures/ledger.js';
import type { AppFigures, FiguresDelta, WorkerFigures } from '../../shared/figures.js';
import { isFiguresDelta } from './delta.js';
import type { QueueDelay } from './own.js';
import { OwnFigures } from './own.js';

/** All workers tell at full seconds: half way between two of them, each has told once. In ms. */
const EVERY_MS = 1_000;
const OFFSET_MS = 500;
/** A page is of about a second, whoever turns it; a look has just had all workers tell. In ms. */
const PAGE_MS = 900;

/** A worker process, as far as it is measured. */
export interface MeasuredWorker {
  id: number;
  generation: number;
  /** It has been given traffic, at one time or another. */
  hasServed: boolean;
  /** Its process has ended; what it told last may be on its way still. */
  hasExited: boolean;
  /** All that it has ever told has come. */
  isSilent: boolean;
  /** @param taker null: it measures no more */
  keepFigures(taker: FiguresTaker | null): void;
}

export interface FiguresTaker {
  told(delta: unknown): void;
  /** Nothing comes from it any more. */
  silent(): void;
}

export interface KeeperOptions {
  workers: Map<number, MeasuredWorker>;
  /** Id of what that generation runs. */
  releaseOf(generation: number): string;
  crashes(): number;
  queue: QueueDelay;
}

interface Kept {
  worker: MeasuredWorker;
  process: NonNullable<FiguresDelta['process']>;
  silent: Promise<void>;
  end(): void;
}

const UNKNOWN: Kept['process'] = {
  heapUsedBytes: 0,
  heapTotalBytes: 0,
  loop: { utilization: 0, delayP50Ms: 0, delayP99Ms: 0 },
};

export class FiguresKeeper {
  private readonly ledger = new Ledger();
  private readonly kept = new Map<number, Kept>();
  private readonly own: OwnFigures;
  private timer: NodeJS.Timeout | null = null;
  private turnedAt = 0;

  constructor(private readonly options: KeeperOptions) {
    this.own = new OwnFigures(options.queue);
  }

  begin(): void {
    this.own.begin();
    this.turnedAt = performance.now();
    for (const worker of this.options.workers.values()) if (worker.hasServed) this.joined(worker);
    this.turnNext();
  }

  end(): void {
    if (this.timer) clearTimeout(this.timer);
    for (const { worker } of this.kept.values()) worker.keepFigures(null);
    this.own.end();
  }

  /** It is about to be given traffic. Once more is no harm. */
  joined(worker: MeasuredWorker): void {
    const { id, generation } = worker;
    if (this.kept.has(id)) return;
    this.ledger.joined(id, generation, this.options.releaseOf(generation), performance.now() - this.turnedAt);
    let silent = (): void => {};
    const end = (): void => {
      this.ledger.gone(id);
      this.kept.delete(id);
      silent();
    };
    const kept: Kept = { worker, process: UNKNOWN, silent: new Promise((resolve) => (silent = resolve)), end };
    this.kept.set(id, kept);
    worker.keepFigures({
      told: (delta) => {
        if (!isFiguresDelta(delta)) return;
        this.ledger.told(id, delta, performance.now() - this.turnedAt);
        kept.process = delta.process ?? kept.process;
      },
      silent: end,
    });
  }

  /** Settles when all has come that workers which have ended have told. */
  async settled(): Promise<void> {
    this.endSilent();
    await Promise.all([...this.kept.values()].filter(({ worker }) => worker.hasExited).map(({ silent }) => silent));
  }

  ofWorker(id: number): WorkerFigures | null {
    const kept = this.kept.get(id);
    const figures = kept && this.ledger.ofWorker(id);
    return figures ? { ...figures, ...kept.process } : null;
  }

  /** @param usage of the master itself */
  ofApp(usage: { cpuPercent: number; rssBytes: number } | undefined): AppFigures {
    this.turnWhereDue();
    return {
      at: new Date().toISOString(),
      ...this.ledger.ofApp(),
      generations: this.ledger.ofGenerations(),
      crashes: this.options.crashes(),
      master: this.own.shown(usage),
    };
  }

  /** Of some no event tells in time: a process of theirs holds a pipe, and a handle that was sent to them was never received. */
  private endSilent(): void {
    for (const { worker, end } of [...this.kept.values()]) if (worker.isSilent) end();
  }

  private turnNext(): void {
    this.timer = setTimeout(
      () => {
        this.turnNext();
        this.turnWhereDue();
      },
      EVERY_MS - ((Date.now() - OFFSET_MS) % EVERY_MS),
    ).unref();
  }

  private turnWhereDue(): void {
    const now = performance.now();
    const ms = now - this.turnedAt;
    if (ms < PAGE_MS) return;
    this.turnedAt = now;
    this.endSilent();
    this.ledger.turn(ms);
    this.own.turn();
  }
}
