/**
 * Who gets what the workers tell: each delta goes to its worker, to the worker's generation and to the app at one time, so that each is the sum of what is
 * below it, and a worker or a generation that goes takes nothing from what is above. Knows no process and no clock: `at` is in ms since the last turn.
 */
import type { FiguresDelta, GenerationFigures, Rates, Totals } from '../../shared/figures.js';
import { RESPONSE_CLASSES } from '../../shared/figures.js';
import { Recent } from './recent.js';
import { Tally } from './tally.js';

/** Generations without workers that are remembered. */
export const KEPT_GENERATIONS = 16;

interface Account {
  tally: Tally;
  recent: Recent;
}

interface GenerationAccount extends Account {
  release: string;
  workers: Set<number>;
}

interface WorkerAccount extends Account {
  generation: GenerationAccount;
}

const newAccount = (at?: number): Account => ({ tally: new Tally(), recent: new Recent(at) });

const show = ({ tally, recent }: Account): { totals: Totals; rates: Rates } => ({
  totals: tally.totals(),
  rates: recent.rates(),
});

const aborted = (count: number): FiguresDelta => ({
  requests: 0,
  responses: RESPONSE_CLASSES.map((name) => (name === 'aborted' ? count : 0)),
  taken: 0,
  given: 0,
  latency: [],
  latencySumMs: 0,
});

export class Ledger {
  private readonly app = newAccount();
  private readonly generations = new Map<number, GenerationAccount>();
  private readonly workers = new Map<number, WorkerAccount>();

  /** It takes traffic from now on. Once more is no harm. */
  joined(id: number, generation: number, release: string, at: number): void {
    if (this.workers.has(id)) return;
    if (this.workers.size === 0) this.app.recent.beginAt(at);
    const account = this.generations.get(generation) ?? { ...newAccount(at), release, workers: new Set() };
    this.generations.set(generation, account);
    account.workers.add(id);
    this.workers.set(id, { ...newAccount(at), generation: account });
    this.forget();
  }

  /** Of one that has not joined, or has gone, nothing can come. @param at null: it says nothing of the time that it is of */
  told(id: number, delta: FiguresDelta, at: number | null): void {
    const worker = this.workers.get(id);
    if (!worker) return;
    for (const { tally, recent } of [worker, worker.generation, this.app]) {
      tally.add(delta);
      recent.add(delta, at);
    }
  }

  /** It has told all it ever will: what it had under way was broken off by its end. */
  gone(id: number): void {
    const worker = this.workers.get(id);
    if (!worker) return;
    this.told(id, aborted(worker.tally.underWay()), null);
    worker.generation.workers.delete(id);
    this.workers.delete(id);
    this.forget();
  }

  /** So long after the last time, in ms. */
  turn(ms: number): void {
    for (const account of [this.app, ...this.generations.values(), ...this.workers.values()]) account.recent.turn(ms);
  }

  ofWorker(id: number): { totals: Totals; rates: Rates } | null {
    const worker = this.workers.get(id);
    return worker ? show(worker) : null;
  }

  ofGenerations(): GenerationFigures[] {
    return [...this.generations]
      .sort(([one], [other]) => one - other)
      .map(([generation, account]) => ({
        ...{ generation, release: account.release, workerCount: account.workers.size },
        ...show(account),
      }));
  }

  ofApp(): { totals: Totals; rates: Rates } {
    return show(this.app);
  }

  /** The oldest first, of those without workers. */
  private forget(): void {
    const over = [...this.generations]
      .filter(([, { workers }]) => workers.size === 0)
      .sort(([one], [other]) => other - one)
      .slice(KEPT_GENERATIONS);
    for (const [generation] of over) this.generations.delete(generation);
  }
}
