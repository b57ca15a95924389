/** What a config's values come to: defaults filled in, durations in ms. Of input that has been checked. Pure. */
import type * as v from 'valibot';
import type {
  Amount,
  AnalysisConfig,
  AppConfig,
  BackoffConfig,
  HttpCheck,
  HttpConfig,
  LogConfig,
  LogRotation,
  ReadyConfig,
} from './config.js';
import type { AppConfigInput, ready } from './config-keys.js';
import { DEFAULT_ANALYSIS } from './default-analysis.js';
import { DEFAULT_ROTATION } from './default-rotation.js';
import { parseDuration, parseShare, parseSize } from './units.js';

export const ms = (value: string | number | undefined, byDefault: number): number =>
  value === undefined ? byDefault : (parseDuration(value) ?? byDefault);

export const msOrNull = (value: string | number | undefined): number | null =>
  value === undefined ? null : parseDuration(value);

export function maxMemoryOf(value: AppConfigInput['maxMemory']): AppConfig['maxMemory'] {
  if (value === undefined) return null;
  const share = typeof value === 'string' ? parseShare(value) : null;
  return share === null ? { bytes: parseSize(value)! } : { share };
}

/** A string is split at spaces, as a shell would without quotes. */
export const listOf = (value: string | string[] | undefined): string[] =>
  typeof value === 'string' ? value.split(/\s+/).filter(Boolean) : (value ?? []);

export const amountOf = (value: string | number): Amount =>
  typeof value === 'number' ? { count: value } : { percent: Number.parseInt(value, 10) };
export const isZero = (value: Amount): boolean => ('count' in value ? value.count : value.percent) === 0;
export const roundsToZero = (value: Amount, instances: number): boolean =>
  'percent' in value && Math.floor((value.percent * instances) / 100) === 0;

export function readyOf(input: v.InferOutput<typeof ready> | undefined): ReadyConfig {
  const given = typeof input === 'string' ? { on: input } : (input ?? {});
  const { path } = given;
  const http = path === undefined ? undefined : { path, ...addressOf(given) };
  return {
    check: http ?? given.on ?? 'listening',
    initialDelayMs: ms(given.initialDelay, 0),
    periodMs: ms(given.period, 1_000),
    timeoutMs: ms(given.timeout, 1_000),
    successes: given.successes ?? 1,
    deadlineMs: ms(given.deadline, 60_000),
  };
}

interface RequestAddress {
  port?: number | undefined;
  protocol?: 'http' | 'https' | undefined;
  host?: string | undefined;
}

/** Of a request, what was given. */
const addressOf = ({ port: given, protocol, host }: RequestAddress): Omit<HttpCheck, 'path'> => ({
  ...(given ? { port: given } : {}),
  ...(protocol ? { protocol } : {}),
  ...(host ? { host } : {}),
});

export function backoffOf(input: AppConfigInput['backoff']): BackoffConfig {
  const given = typeof input === 'object' ? input : { initial: input };
  return {
    initialMs: ms(given.initial, 100),
    factor: given.factor ?? 2,
    capMs: ms(given.cap, 30_000),
    jitter: given.jitter ?? 0.2,
    resetAfterMs: ms(given.resetAfter, 60_000),
  };
}

export function smokeOf(input: AppConfigInput['smoke']): AppConfig['smoke'] {
  if (input === undefined) return null;
  const given = typeof input === 'string' ? { run: input } : input;
  return { run: given.run, timeoutMs: ms(given.timeout, 60_000) };
}

/** No path, as a list that is put together may come to: no warm-up. */
export function warmupOf(input: AppConfigInput['warmup']): AppConfig['warmup'] {
  if (input === undefined) return null;
  const given = Array.isArray(input) ? { paths: input } : input;
  const { paths, timeout, required = false } = given;
  return paths.length === 0 ? null : { paths, timeoutMs: ms(timeout, 5_000), required, ...addressOf(given) };
}

export function logOf(input: AppConfigInput['log']): LogConfig | null {
  if (input === undefined) return null;
  const { out = null, error = null, maxSize, maxAge, keep, compress, rotate = true } = input;
  const given: LogRotation = {
    maxSizeBytes: maxSize === undefined ? DEFAULT_ROTATION.maxSizeBytes : parseSize(maxSize),
    maxAgeMs: ms(maxAge, 0) || null,
    keep: keep ?? DEFAULT_ROTATION.keep,
    compress: compress ?? DEFAULT_ROTATION.compress,
  };
  return { out, error, rotation: rotate ? given : { ...given, maxSizeBytes: null, maxAgeMs: null } };
}

export function httpOf(input: AppConfigInput['http']): HttpConfig | null {
  if (input === undefined || input === false) return null;
  const given = typeof input === 'number' ? { port: input } : input;
  const { port = null, socket = null, host = '127.0.0.1', token = null, readOnly = false, hosts = [] } = given;
  return { port, socket, host, token, readOnly, hosts: hosts.map((name) => name.toLowerCase()) };
}

export function canaryOf(input: AppConfigInput['canary']): AppConfig['canary'] {
  if (input === undefined) return null;
  const { steps, sticky = false, analysis = {} } = input;
  return {
    steps: steps.map(({ weight, pause }) => ({ weight, pauseMs: pause === true ? null : ms(pause, 60_000) })),
    sticky,
    analysis: analysisOf(analysis),
  };
}

function analysisOf(given: NonNullable<NonNullable<AppConfigInput['canary']>['analysis']>): AnalysisConfig {
  const share = (value: string | number | undefined): number | null => (value === undefined ? null : parseShare(value));
  const byDefault = DEFAULT_ANALYSIS;
  return {
    minRequests: given.minRequests ?? byDefault.minRequests,
    maxErrorRate: share(given.maxErrorRate),
    maxP99Ms: given.maxP99 === undefined ? null : parseDuration(given.maxP99),
    maxRestarts: given.maxRestarts ?? null,
    tolerance: share(given.tolerance) ?? byDefault.tolerance,
    errorTolerance: share(given.errorTolerance) ?? byDefault.errorTolerance,
    latencyToleranceMs: ms(given.latencyTolerance, byDefault.latencyToleranceMs),
    inconclusive: given.inconclusive ?? byDefault.inconclusive,
  };
}
