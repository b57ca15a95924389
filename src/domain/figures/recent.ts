/** The last few seconds of one worker, one generation, or the app, as rates. Time comes from outside: whoever turns the page says how long it was. */
import type { FiguresDelta, Rates } from '../../shared/figures.js';
import { RESPONSE_CLASSES } from '../../shared/figures.js';
import type { SparseCounts } from '../../shared/latency-buckets.js';
import { add, EMPTY, quantile } from '../verdict/histogram.js';

/** Of about a second each. */
const PAGES = 5;
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

  add({ requests, responses, latency }: Pick<FiguresDelta, 'requests' | 'responses' | 'latency'>): void {
    const { page } = this;
    page.requests += requests;
    page.answers += responses.reduce((sum, count) => sum + count, 0);
    page.failed += responses[SERVER_ERROR]! + responses[ABORTED]!;
    for (const value of latency) page.latency.push(value);
  }

  /** A page is full: it took so long. */
  turn(ms: number): void {
    this.pages.push({ ...this.page, ms });
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
