/** Runs in the master. Why a command is not carried out, in one place: the same refusal reads the same everywhere. */
import { ZdsupError } from '../../shared/errors.js';
import type { CommandContext } from './context.js';

/** @throws ZdsupError ZDSUP_STOPPING (exit 4) */
export function refuseWhileStopping({ supervisor, appName }: CommandContext): void {
  if (!supervisor.state.stop) return;
  throw new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `${appName} is stopping`,
    hint: 'start it again with zdsup start',
    exitStatus: 4,
  });
}

/** What was under way when the app was stopped. */
export const stopped = (appName: string, verb: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `the ${verb} of ${appName} was given up: the app was stopped`,
    hint: 'start it again with zdsup start',
    exitStatus: 1,
  });

export function underWay({ supervisor, appName }: CommandContext): ZdsupError {
  const rollout = supervisor.state.rollout;
  const what = rollout?.to == null ? 'being prepared' : `generation ${rollout.to}, ${rollout.step}`;
  return new ZdsupError({
    code: 'ZDSUP_ROLLOUT_UNDER_WAY',
    message: `another rollout of ${appName} is under way (${what})`,
    hint: `wait for it: zdsup status ${appName}`,
    exitStatus: 4,
  });
}
