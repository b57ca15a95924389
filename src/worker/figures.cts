/**
 * Runs in the worker. While figures are on, it adds up what comes of the requests, and tells the master what has been added since it told last: once a second,
 * at once where the master asks, and as the process ends. So a total loses nothing but what a SIGKILL or an abort takes along. Beside it goes how the
 * process is: its heap, its event loop.
 */
import type { EventLoopUtilization, IntervalHistogram } from 'node:perf_hooks';

import { sendLast } from '../node-internals/ipc-channel.cjs';
import type { FiguresDelta } from '../shared/figures.js';
import { BUCKET_COUNT, bucketOf } from '../shared/latency-buckets.js';
import { CMD } from '../shared/messages.cjs';
import { tell } from './channel.cjs';
import type { Taker } from './measure.cjs';
import { measure, measureNoMore } from './measure.cjs';

/** All workers of a host tell at the same instants. In ms. */
const EVERY_MS = 1_000;
/** Where the master has asked so short a time ago, in ms, nothing is told by itself. */
const TOLD_MS = 900;
/** An event loop is shown over no shorter a time, in ms. */
const LOOP_MS = 500;
/** How often Node looks at the event loop, in native code, in ms: what it finds is by so much too long. */
const LOOK_MS = 20;
const NS_PER_MS = 1e6;

const ABORTED = 5;

let isOn = false;
let requests = 0;
const responses = new Uint32Array(ABORTED + 1);
const counts = new Uint32Array(BUCKET_COUNT);
let sumMs = 0;
let taken = 0;
let given = 0;
let toldAt = 0;
let timer: NodeJS.Timeout | null = null;
let delays: IntervalHistogram | null = null;
let utilization: EventLoopUtilization | undefined;
let loopAt = 0;

const taker: Taker = {
  isExact: true,
  begun() {
    requests += 1;
  },
  answered(ms, status) {
    responses[classOf(status)]! += 1;
    counts[bucketOf(ms)]! += 1;
    sumMs += ms;
  },
  brokenOff() {
    responses[ABORTED]! += 1;
  },
};

/** By the first digit; an app may set any number. */
function classOf(status: number): number {
  const index = Math.floor(status / 100) - 1;
  return index >= 0 && index < ABORTED ? index : ABORTED - 1;
}

/** Figures will be on once it takes traffic: what takes time to load is loaded before. */
export function prepareFigures(): void {
  const { monitorEventLoopDelay } = require('node:perf_hooks') as typeof import('node:perf_hooks');
  delays ??= monitorEventLoopDelay({ resolution: LOOK_MS });
}

export function keepFigures(on: boolean): void {
  if (on === isOn) return;
  isOn = on;
  if (on) begin();
  else end();
}

function begin(): void {
  prepareFigures();
  delays!.enable();
  forget();
  beginLoop();
  measure(taker);
  process.on('exit', tellLast);
  tellNext();
}

function end(): void {
  if (timer) clearTimeout(timer);
  process.off('exit', tellLast);
  measureNoMore(taker);
  delays!.disable();
}

export function noteTaken(): void {
  taken += 1;
}

export function noteGiven(): void {
  given += 1;
}

function tellNext(): void {
  timer = setTimeout(
    () => {
      tellNext();
      if (performance.now() - toldAt >= TOLD_MS) tellNow();
    },
    EVERY_MS - (Date.now() % EVERY_MS),
  ).unref();
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
  const latency: number[] = [];
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket += 1) {
    const count = counts[bucket]!;
    if (count > 0) latency.push(bucket, count);
  }
  const delta: FiguresDelta = { requests, responses: [...responses], taken, given, latency, latencySumMs: sumMs };
  forget();
  toldAt = performance.now();
  if (toldAt - loopAt >= LOOP_MS) delta.process = lookAtProcess();
  return delta;
}

function forget(): void {
  requests = 0;
  responses.fill(0);
  counts.fill(0);
  sumMs = 0;
  taken = 0;
  given = 0;
}

function lookAtProcess(): NonNullable<FiguresDelta['process']> {
  const { heapUsed, heapTotal } = process.memoryUsage();
  const loop = {
    utilization: performance.eventLoopUtilization(utilization).utilization,
    delayP50Ms: delayMs(50),
    delayP99Ms: delayMs(99),
  };
  beginLoop();
  return { heapUsedBytes: heapUsed, heapTotalBytes: heapTotal, loop };
}

/** 0 where Node has not looked yet. */
const delayMs = (percentile: number): number =>
  delays!.count === 0 ? 0 : Math.max(0, delays!.percentile(percentile) / NS_PER_MS - LOOK_MS);

function beginLoop(): void {
  utilization = performance.eventLoopUtilization();
  delays!.reset();
  loopAt = performance.now();
}
