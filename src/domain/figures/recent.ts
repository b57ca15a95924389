/**
 * The last few seconds of one worker, one generation, or the app, as rates. Time comes from outside, in ms since the page was turned last: whoever turns the
 * page says how long it was.
 */
import type { FiguresDelta, Rates } from '../../shared/figures.js';
import { RESPONSE_CLASSES } from '../../shared/figures.js';
import type { SparseCounts } from '../../shared/latency-buckets.js';
import { add, EMPTY, quantile } from '../verdict/histogram.js';

/** Of about a second each. */
const PAGES = 5;
/** A first page is no shorter: a rate over a few ms says nothing. In ms. */
const LEAST_MS = 500;
/** Whoever has told something tells more within this time. In ms. */
const MOST_MS = 1_200;
const SERVER_ERROR = RESPONSE_CLASSES.indexOf('5xx');
const ABORTED = RESPONSE_CLASSES.indexOf('aborted');

interface Page {
  ms: number;
  requests: number;
  answers: number;
  failed: number;
  latency: SparseCounts;
}

const newPage = (): Page => ({ ms: 0, requests: 0, answers: 0, failed: 0, latency: [] });

export class Recent {
  private page = newPage();
  private readonly pages: Page[] = [];
  /**
   * Of the first page, which may begin in the middle and lasts until what was told last: its time is what that is of. `toldAt`: null as long as nothing was told.
   * Null once that page is full; from then on what is told a little late in one page is so in the next one, too.
   */
  private first: { begunAt: number; toldAt: number | null } | null;

  constructor(begunAt = 0) {
    this.first = { begunAt, toldAt: null };
  }

  /** Nobody could tell anything before. */
  beginAt(begunAt: number): void {
    if (this.first?.toldAt === null) this.first.begunAt = begunAt;
  }

  /** @param at null: it says nothing of the time that it is of */
  add(
    { requests, responses, latency }: Pick<FiguresDelta, 'requests' | 'responses' | 'latency'>,
    at: number | null,
  ): void {
    const { page } = this;
    if (this.first) this.first.toldAt = at ?? this.first.toldAt;
    page.requests += requests;
    page.answers += responses.reduce((sum, count) => sum + count, 0);
    page.failed += responses[SERVER_ERROR]! + responses[ABORTED]!;
    for (const value of latency) page.latency.push(value);
  }

  /** A page is full: it took so long. */
  turn(ms: number): void {
    if (this.first) {
      const { begunAt, toldAt } = this.first;
      const elapsedMs = ms - begunAt;
      let firstMs = (toldAt ?? begunAt) - begunAt;
      if (firstMs < LEAST_MS && toldAt !== null && elapsedMs >= MOST_MS) firstMs = elapsedMs; // It tells no more.
      if (firstMs < LEAST_MS) {
        this.first = { begunAt: begunAt - ms, toldAt: toldAt === null ? null : toldAt - ms };
        return;
      }
      this.first = null;
      this.pages.push({ ...this.page, ms: firstMs });
    } else this.pages.push({ ...this.page, ms });
    if (this.pages.length > PAGES) this.pages.shift();
    this.page = newPage();
  }

  /** Of the pages that are full. */
  rates(): Rates {
    const sum = (of: (page: Page) => number): number => this.pages.reduce((all, page) => all + of(page), 0);
    const ms = sum((page) => page.ms);
    const answers = sum((page) => page.answers);
    const latency = add(
      EMPTY,
      this.pages.flatMap((page) => page.latency),
    );
    return {
      requestsPerSecond: ms > 0 ? (sum((page) => page.requests) * 1_000) / ms : 0,
      errorRate: answers > 0 ? sum((page) => page.failed) / answers : 0,
      p50Ms: quantile(latency, 0.5),
      p99Ms: quantile(latency, 0.99),
    };
  }
}
