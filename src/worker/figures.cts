/**
 * Runs in the worker. While figures are on, it adds up what comes of the requests, and tells the master what has been added since it told last: once a second,
 * at once where the master asks, and as the process ends. So a total loses nothing but what a SIGKILL or an abort takes along. Beside it goes how the
 * process is: its heap, its event loop.
 */
import type { EventLoopUtilization } from 'node:perf_hooks';

import { sendLast } from '../node-internals/ipc-channel.cjs';
import type { FiguresDelta } from '../shared/figures.js';
import { BUCKET_COUNT, bucketOf } from '../shared/latency-buckets.js';
import { CMD } from '../shared/messages.cjs';
import { tell } from './channel.cjs';
import { untilNext } from './instants.cjs';
import { LoopDelay } from './loop-delay.cjs';
import type { Taker } from './measure.cjs';
import { measure, measureNoMore, timeOneOf, UNTIMED } from './measure.cjs';

/** All workers of a host tell at the same instants. In ms. */
const EVERY_MS = 1_000;
/**
 * So many requests a second are timed, all of them up to that; of more, one of every few, which stands for the others: of 2,000 the p99 is as sure as a block of
 * the histogram is wide, and beyond that the clock would be a good part of what figures cost.
 */
const TIMED_PER_SECOND = 2_000;
/** A rate is taken over no shorter a time, in ms. */
const RATE_MS = 200;
/** Where the master has asked so short a time ago, in ms, nothing is told by itself. */
const TOLD_MS = 900;
/** An event loop is shown over no shorter a time, in ms. */
const LOOP_MS = 500;

// Kept from before the app runs: it may put another one in its place.
const nowMs = performance.now.bind(performance);

const ABORTED = 5;

let isOn = false;
let requests = 0;
const responses = new Uint32Array(ABORTED + 1);
const counts = new Uint32Array(BUCKET_COUNT);
/** Of how long they took. In an array, where adding to it makes no number anew: V8 boxes those of a variable. */
const sumMs = new Float64Array(1);
/** Answers that were not timed, and are counted with the next one that is. */
let owed = 0;
let lastMs = 0;
let taken = 0;
let given = 0;
let toldAt = 0;
let timer: NodeJS.Timeout | null = null;
const loop = new LoopDelay();
let utilizationBefore: EventLoopUtilization | undefined;
let loopAt = 0;

const taker: Taker = {
  isExact: true,
  begun() {
    requests += 1;
  },
  answered(ms, status) {
    responses[classOf(status)]! += 1;
    if (ms === UNTIMED) owed += 1;
    else note(ms, 1);
  },
  brokenOff() {
    responses[ABORTED]! += 1;
  },
};

/** It stands for those before it that were not timed. */
function note(ms: number, itself: number): void {
  const many = itself + owed;
  owed = 0;
  lastMs = ms;
  counts[bucketOf(ms)]! += many;
  sumMs[0]! += ms * many;
}

/** By the first digit; an app may set any number. */
function classOf(status: number): number {
  const index = Math.floor(status / 100) - 1;
  return index >= 0 && index < ABORTED ? index : ABORTED - 1;
}

export function keepFigures(on: boolean): void {
  if (on === isOn) return;
  isOn = on;
  if (on) begin();
  else end();
}

function begin(): void {
  loop.begin();
  forget();
  beginLoop();
  measure(taker);
  process.on('exit', tellLast);
  tellNext();
}

function end(): void {
  if (timer) clearTimeout(timer);
  process.off('exit', tellLast);
  timeOneOf(1);
  measureNoMore(taker);
  loop.end();
}

export function noteTaken(): void {
  taken += 1;
}

export function noteGiven(): void {
  given += 1;
}

function tellNext(): void {
  timer = setTimeout(() => {
    tellNext();
    if (nowMs() - toldAt >= TOLD_MS) tellNow();
  }, untilNext(EVERY_MS)).unref();
}

/**
 * Hands over what has been added since, for whoever is to tell it; nothing while figures are off. A turn later: what was answered with the last bytes before
 * the master's message has been counted by then.
 */
export function withFigures(tellThem: (figures: { figures?: FiguresDelta }) => void): void {
  if (isOn) setImmediate(() => tellThem(isOn ? { figures: takeDelta() } : {}));
  else tellThem({});
}

/** The app is about to end as it wishes. */
export function tellNow(): void {
  if (isOn) tell({ act: 'figured', ...takeDelta() });
}

/** Nothing runs any more after this. */
function tellLast(): void {
  sendLast({ cmd: CMD, act: 'figured', ...takeDelta() });
}

function takeDelta(): FiguresDelta {
  if (owed > 0) note(lastMs, 0);
  const now = nowMs();
  if (now - toldAt >= RATE_MS)
    timeOneOf(Math.max(1, Math.round((requests * 1_000) / (now - toldAt) / TIMED_PER_SECOND)));
  const latency: number[] = [];
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket += 1) {
    const count = counts[bucket]!;
    if (count > 0) latency.push(bucket, count);
  }
  const delta: FiguresDelta = { requests, responses: [...responses], taken, given, latency, latencySumMs: sumMs[0]! };
  forget();
  toldAt = now;
  if (toldAt - loopAt >= LOOP_MS) delta.process = lookAtProcess();
  return delta;
}

function forget(): void {
  requests = 0;
  responses.fill(0);
  counts.fill(0);
  sumMs[0] = 0;
  owed = 0;
  taken = 0;
  given = 0;
}

function lookAtProcess(): NonNullable<FiguresDelta['process']> {
  const { heapUsed, heapTotal } = process.memoryUsage();
  const { utilization } = performance.eventLoopUtilization(utilizationBefore);
  const delaysMs = loop.take();
  const delayMs = (share: number): number => delaysMs[Math.ceil(delaysMs.length * share) - 1] ?? 0;
  const shown = { utilization, delayP50Ms: delayMs(0.5), delayP99Ms: delayMs(0.99) };
  beginLoop();
  return { heapUsedBytes: heapUsed, heapTotalBytes: heapTotal, loop: shown };
}

function beginLoop(): void {
  utilizationBefore = performance.eventLoopUtilization();
  loopAt = nowMs();
}
