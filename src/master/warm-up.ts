/**
 * Runs in the master; loaded where a config has a warm-up. Asks one worker that takes no traffic yet each path once, in
 * order, over the way of the readiness probe. What comes of it is for the core to judge.
 */
import type { WarmUpAnswer } from '../shared/check-report.js';
import type { WarmUpConfig } from '../shared/config.js';
import type { HttpTarget } from './ask-worker.js';
import { askWorker } from './ask-worker.js';

/** Paths named in the line about a worker; the rest is counted. */
const NAMED_PATHS = 5;

export interface WarmUpEnd {
  /** One line for people: paths, statuses, times. */
  results: string;
  /** The first one. */
  failure: string | null;
}

/**
 * @param findTarget a string says why the worker cannot be asked: the rest of the paths is left out then
 * @param asked hears of each answer as it comes
 * @returns null where it was given up by `signal`. Never rejects
 */
export async function warmUp(
  config: WarmUpConfig,
  findTarget: (path: string) => HttpTarget | string,
  asked: (answer: WarmUpAnswer) => void,
  signal: AbortSignal,
): Promise<WarmUpEnd | null> {
  const { paths, timeoutMs, required } = config;
  const answers: WarmUpAnswer[] = [];
  let failure: string | null = null;
  for (const path of paths) {
    const startedAt = performance.now();
    const target = findTarget(path);
    const { status, failure: why } =
      typeof target === 'string'
        ? { status: null, failure: `${path}: ${target}` }
        : await askWorker(target, { timeoutMs, userAgent: 'zdsup-warmup', whole: true, signal });
    if (signal.aborted) return null;
    const answer = { path, status, ms: Math.round(performance.now() - startedAt), failure: why };
    answers.push(answer);
    asked(answer);
    failure ??= why;
    if (typeof target === 'string' || (required && failure !== null)) break;
  }
  return { results: wordsOf(answers), failure };
}

function wordsOf(answers: WarmUpAnswer[]): string {
  const named = answers
    .slice(0, NAMED_PATHS)
    .map(({ path, status, ms }) => (status === null ? `${path} without an answer` : `${path} ${status} in ${ms} ms`));
  const rest = answers.length - named.length;
  return `${named.join(', ')}${rest > 0 ? `, and ${rest} more` : ''}`;
}
