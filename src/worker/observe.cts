/**
 * Runs in the worker. While the master wants to know, for a verdict, it counts what comes of the requests: how many, how many failed, how long they took, and
 * for how long the event loop was held up. What it counts is measured by measure.cts.
 */
import { BUCKET_COUNT, bucketOf } from '../shared/latency-buckets.js';
import { tell } from './channel.cjs';
import { figures } from './drain.cjs';
import type { Taker } from './measure.cjs';
import { measure, measureNoMore } from './measure.cjs';

/** All workers of a host tell at the same instants, so that what they tell is of the same time. In ms. */
const EVERY_MS = 500;
/** So many requests of a process are slow in any release: its code is not compiled yet. How long they took is not counted. */
const COLD_REQUESTS = 50;
/**
 * How often the event loop is looked at, in ms. By a timer of its own: `monitorEventLoopDelay` of node:perf_hooks forgets its last look with each reset, and so
 * a block that follows within 20 ms; and to load it costs a serving worker some ms.
 */
const LOOK_MS = 20;

const counts = new Uint32Array(BUCKET_COUNT);
let requests = 0;
let failed = 0;
let coldLeft = 0;
let timer: NodeJS.Timeout | null = null;
let looking: NodeJS.Timeout | null = null;
let lookedAt = 0;
let longestMs = 0;

/** @param withLoop look at the event loop as well, 50 times a second: for a verdict */
export function observe(on: boolean, withLoop: boolean): void {
  if (on && withLoop) beginLoop();
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

function beginLoop(): void {
  if (looking) return;
  lookedAt = performance.now();
  longestMs = 0;
  looking = setInterval(look, LOOK_MS).unref();
}

function look(): void {
  const now = performance.now();
  longestMs = Math.max(longestMs, now - lookedAt);
  lookedAt = now;
}

function end(): void {
  if (timer) clearTimeout(timer);
  timer = null;
  measureNoMore(taker);
  if (looking) clearInterval(looking);
  looking = null;
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
  else counts[bucketOf(ms)]! += 1;
}

function countFailure(): void {
  requests += 1;
  failed += 1;
}

function tellNext(): void {
  timer = setTimeout(
    () => {
      tellNext();
      tellNow();
    },
    EVERY_MS - (Date.now() % EVERY_MS),
  ).unref();
}

function tellNow(): void {
  const latency: number[] = [];
  for (const [bucket, many] of counts.entries()) if (many > 0) latency.push(bucket, many);
  tell({ act: 'observed', requests, failed, latency, heldUpMs: heldUpMs() });
  forget();
}

/** What is above the pause between two looks. */
function heldUpMs(): number {
  if (!looking) return 0;
  look();
  const most = longestMs;
  longestMs = 0;
  return Math.max(0, Math.round(most - LOOK_MS));
}

function forget(): void {
  requests = 0;
  failed = 0;
  counts.fill(0);
}
