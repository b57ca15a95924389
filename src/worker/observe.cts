/**
 * Runs in the worker. While the master wants to know, for a verdict, it counts what comes of the requests: how many, how many failed, how long they took, and
 * for how long the event loop was held up. What it counts is measured by measure.cts.
 */
import { BUCKET_COUNT, bucketOf } from '../shared/latency-buckets.js';
import { tell } from './channel.cjs';
import { figures } from './drain.cjs';
import { untilNext } from './instants.cjs';
import { LoopDelay } from './loop-delay.cjs';
import type { Taker } from './measure.cjs';
import { measure, measureNoMore, UNTIMED } from './measure.cjs';

/** All workers of a host tell at the same instants, so that what they tell is of the same time. In ms. */
const EVERY_MS = 500;
/** So many requests of a process are slow in any release: its code is not compiled yet. How long they took is not counted. */
const COLD_REQUESTS = 50;
const counts = new Uint32Array(BUCKET_COUNT);
let requests = 0;
let failed = 0;
let coldLeft = 0;
let timer: NodeJS.Timeout | null = null;
const loop = new LoopDelay();

/** @param withLoop look at the event loop as well, 50 times a second: for a verdict */
export function observe(on: boolean, withLoop: boolean): void {
  if (on && withLoop) loop.begin();
  if (on === (timer !== null)) return;
  if (on) begin();
  else end();
}

function begin(): void {
  forget();
  coldLeft = Math.max(0, COLD_REQUESTS - figures().requests);
  measure(taker);
  tellNext();
}

function end(): void {
  if (timer) clearTimeout(timer);
  timer = null;
  measureNoMore(taker);
  loop.end();
}

const taker: Taker = {
  isExact: false,
  begun() {},
  answered: (ms, status) => count(ms, status >= 500),
  brokenOff(byClient, ms, status) {
    if (!byClient) countFailure();
    else if (status > 0) count(ms, status >= 500); // Of HTTP/2: its head was there, and the client had enough.
  },
};

function count(ms: number, hasFailed: boolean): void {
  requests += 1;
  if (hasFailed) failed += 1;
  if (coldLeft > 0) coldLeft -= 1;
  else if (ms !== UNTIMED) counts[bucketOf(ms)]! += 1; // It began before anybody judged.
}

function countFailure(): void {
  requests += 1;
  failed += 1;
}

function tellNext(): void {
  timer = setTimeout(() => {
    tellNext();
    tellNow();
  }, untilNext(EVERY_MS)).unref();
}

function tellNow(): void {
  const latency: number[] = [];
  for (const [bucket, many] of counts.entries()) if (many > 0) latency.push(bucket, many);
  tell({ act: 'observed', requests, failed, latency, heldUpMs: Math.round(loop.take().at(-1) ?? 0) });
  forget();
}

function forget(): void {
  requests = 0;
  failed = 0;
  counts.fill(0);
}
