/** Runs in the CLI. Long work of one or several masters, one after another: progress, result, exit status; Ctrl-C only detaches. */
import type { RunningApp } from '../../client/apps.js';
import { gone } from '../../client/apps.js';
import { ask, askAlive, NobodyThere } from '../../client/control-client.js';
import type { ControlRequest, ControlResult } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import type { StartResult } from '../../shared/daemon.js';
import { toReport, ZdsupError } from '../../shared/errors.js';
import { formatDuration } from '../../shared/units.js';
import { printError } from '../render/error.js';
import { inLines } from '../render/on-one-line.js';
import type { ProgressView } from '../render/progress.js';
import { makeProgress } from '../render/progress.js';

/** What a shell gives for a command that was interrupted: 128 + SIGINT. */
const INTERRUPTED = 130;

export interface CarryOutOptions {
  json: boolean;
  verb: string;
  /** It moves a rollout on, which `zdsup abort` can end. */
  isRollout?: boolean;
  /** Called once, when the request is on its way: from then on Ctrl-C only detaches. */
  asked?(): void;
  /** Called once, when the master is at work. */
  begun?(): void;
  /** All were meant: the results are a list, each with the app's name, also where only one runs. */
  all: boolean;
}

/** @returns the highest exit status; what one app comes to does not keep the next from its turn */
export async function carryOut(apps: RunningApp[], request: ControlRequest, options: CarryOutOptions): Promise<number> {
  const results: ControlResult[] = [];
  for (const app of apps) {
    const result = await carryOutOne(app, request, options);
    if (!options.json) tell(app.name, result, apps.length > 1);
    results.push(result);
  }
  if (options.json) {
    const named = results.map((result, index) => ({ app: apps[index]!.name, ...result }));
    process.stdout.write(`${JSON.stringify(options.all ? named : results[0], null, 2)}\n`);
  }
  return Math.max(...results.map((result) => result.exitStatus));
}

/** Never rejects for what the master says or does: that is the result. */
export async function carryOutOne(
  app: RunningApp,
  request: ControlRequest,
  options: Omit<CarryOutOptions, 'all'>,
): Promise<ControlResult> {
  const progress = progressOf(app.name, options.json);
  let attached: { end(): void } | undefined;
  try {
    await askAlive(app.socketPath); // A master that does not answer would carry the request out much later.
    let { begun } = options;
    return await ask(app.socketPath, request, {
      onSent() {
        // Not before: it would say that something goes on which nobody was asked for.
        attached = detachOnInterrupt(app.name, options.verb, progress, options.isRollout);
        options.asked?.();
      },
      onProgress(step) {
        // Without a generation there is nothing to take back: the result follows at once, and says the same.
        if (step.kind !== 'failed' || step.generation !== undefined) progress.show(step);
        begun?.();
        begun = undefined;
      },
    });
  } catch (error) {
    if (!(error instanceof NobodyThere || error instanceof ZdsupError)) throw error;
    return failedResult(toReport(error instanceof NobodyThere ? gone(app.name) : error));
  } finally {
    progress.end();
    attached?.end();
  }
}

export const progressOf = (app: string, json: boolean): ProgressView =>
  makeProgress(app, json ? 'none' : process.stderr.isTTY ? 'live' : 'lines');

/** Ctrl-C leaves the command; what it has asked for goes on, and the last words say so. */
export function detachOnInterrupt(
  app: string,
  verb: string,
  progress: ProgressView,
  isRollout = false,
): { end(): void } {
  const detach = (): void => {
    progress.end();
    const cleared = process.stderr.isTTY ? '\r\x1b[K' : ''; // The terminal has written ^C, also where no progress is drawn.
    const next = `zdsup status ${app} shows it${isRollout ? `, zdsup abort ${app} gives it up` : ''}`;
    process.stderr.write(`${cleared}detached: the ${verb} goes on; ${next}\n`);
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', detach);
  return { end: () => void process.off('SIGINT', detach) };
}

const trial = (result: ControlResult | StartResult): string =>
  'trialMs' in result && result.trialMs !== undefined ? `; on trial for ${formatDuration(result.trialMs)}` : '';

/** The result for people. @param several it is one of several apps: its error says of which */
export function tell(app: string, result: ControlResult | StartResult, several: boolean): void {
  if (!result.ok) {
    const { message } = result.error;
    const named = several && !message.split(' ').includes(app) ? `${app}: ${message}` : message;
    printError(
      { ...result.error, message: named },
      { json: false, ...(result.stderr ? { stderr: result.stderr } : {}) },
    );
  } else if ('message' in result) {
    const seconds =
      'durationMs' in result && result.durationMs > 0 ? ` (${(result.durationMs / 1000).toFixed(1)} s)` : '';
    process.stdout.write(`${app}: ${inLines(result.message)}${seconds}${trial(result)}\n`);
  }
}
