/** Runs in the master. Why a command is not carried out, in one place: the same refusal reads the same everywhere. */
import { ZdsupError } from '../../shared/errors.js';
import type { CommandContext } from './context.js';

/** @throws ZdsupError ZDSUP_STOPPING (exit 4) */
export function refuseWhileStopping({ supervisor, appName }: CommandContext): void {
  if (supervisor.state.stop) throw stopping(appName);
}

export const stopping = (appName: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `${appName} is stopping`,
    hint: 'start it again with zdsup start',
    exitStatus: 4,
  });

/** What was under way when the app was stopped. */
export const stopped = (appName: string, verb: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `the ${verb} of ${appName} was given up: the app was stopped`,
    hint: 'start it again with zdsup start',
    exitStatus: 1,
  });

export function underWay({ supervisor, appName }: CommandContext): ZdsupError {
  const { rollout, scaling } = supervisor.state;
  const what = rollout?.to == null ? 'being prepared' : `generation ${rollout.to}, ${rollout.step}`;
  const change = scaling ? `a scale of ${appName}` : `another rollout of ${appName}`;
  return new ZdsupError({
    code: 'ZDSUP_ROLLOUT_UNDER_WAY',
    message: `${change} is under way (${scaling ? `from ${scaling.before} to ${scaling.after} workers` : what})`,
    hint: `wait for it: zdsup status ${appName}`,
    exitStatus: 4,
  });
}

/** What was under way when everything was ended at once. */
export const ended = (appName: string, verb: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `the ${verb} of ${appName} was given up: the app was ended at once`,
    hint: 'start it again with zdsup start',
    exitStatus: 1,
  });

/** It has ended, and not as a stop promises. */
export const stoppedAtOnce = (appName: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `${appName} was ended at once: what was in flight is lost`,
    hint: 'start it again with zdsup start',
    exitStatus: 1,
  });
