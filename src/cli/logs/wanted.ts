/** Runs in the CLI. What was asked for, judged. */
import { ZdsupError } from '../../shared/errors.js';
import { parseDuration } from '../../shared/units.js';
import type { Wanted } from './line.js';

export interface Asked {
  worker?: number | undefined;
  generation?: number | undefined;
  since?: string | undefined;
  grep?: string | undefined;
}

/** @throws ZdsupError ZDSUP_USAGE */
export function wantedBy({ worker, generation, since, grep }: Asked, now: number): Wanted {
  return {
    worker,
    generation,
    since: since === undefined ? undefined : instantOf(since, now),
    grep: grep === undefined ? undefined : patternOf(grep),
  };
}

function instantOf(since: string, now: number): number {
  const ago = parseDuration(since);
  const at = ago === null ? Date.parse(since) : now - ago;
  if (!Number.isNaN(at)) return at;
  throw usage(`--since ${since} is neither a duration nor an instant`, '--since 10m, or --since 2026-11-26T09:00:00Z');
}

function patternOf(grep: string): RegExp {
  try {
    return new RegExp(grep);
  } catch (error) {
    throw usage(
      `--grep: ${(error as Error).message}`,
      'it is a regular expression of JavaScript; \\ takes the meaning off a character',
    );
  }
}

const usage = (message: string, hint: string): ZdsupError =>
  new ZdsupError({ code: 'ZDSUP_USAGE', message, hint, exitStatus: 2 });
