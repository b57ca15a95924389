/** Runs in the master. The app speaks on the channel of its worker as well: what is no delta is not added to anything. */
import type { FiguresDelta } from '../../shared/figures.js';
import { RESPONSE_CLASSES } from '../../shared/figures.js';
import { BUCKET_COUNT } from '../../shared/latency-buckets.js';

/** Between two words of one process. */
const MOST_REQUESTS = 100_000_000;

export function isFiguresDelta(value: unknown): value is FiguresDelta {
  if (typeof value !== 'object' || value === null) return false;
  const { requests, responses, taken, given, latency, latencySumMs, process } = value as Record<string, unknown>;
  if (![requests, taken, given].every(isCount) || !isAmount(latencySumMs)) return false;
  if (!Array.isArray(responses) || responses.length !== RESPONSE_CLASSES.length || !responses.every(isCount))
    return false;
  if (!Array.isArray(latency) || latency.length > 2 * BUCKET_COUNT || latency.length % 2 === 1) return false;
  if (!latency.every((one, at) => isCount(one) && (at % 2 === 1 || one < BUCKET_COUNT))) return false;
  return process === undefined || isProcess(process);
}

function isProcess(value: unknown): boolean {
  const { heapUsedBytes, heapTotalBytes, loop } = (value ?? {}) as Record<string, unknown>;
  const { utilization, delayP50Ms, delayP99Ms } = (loop ?? {}) as Record<string, unknown>;
  return [heapUsedBytes, heapTotalBytes, utilization, delayP50Ms, delayP99Ms].every(isAmount);
}

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_REQUESTS;

/** So small that no sum of them is infinite. */
const isAmount = (value: unknown): boolean =>
  Number.isFinite(value) && (value as number) >= 0 && (value as number) <= Number.MAX_SAFE_INTEGER;
