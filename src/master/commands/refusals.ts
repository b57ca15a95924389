/** Runs in the master. Why a command is not carried out, in one place: the same refusal reads the same everywhere. */
import { isHeld } from '../../domain/canary.js';
import type { InterventionRefusal, RollbackRefusal, Rollout, ScaleRefusal } from '../../domain/types.js';
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
    hint: `start it again with zdsup start ${appName}`,
    exitStatus: 4,
  });

/** What was under way when the app was stopped. */
export const stopped = (appName: string, verb: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `the ${verb} of ${appName} was given up: the app was stopped`,
    hint: `start it again with zdsup start ${appName}`,
    exitStatus: 1,
  });

/** As `abort` has it: it is not over, nor given up already, and has something to go back to. */
const canBeAborted = (rollout: Rollout | null): boolean =>
  rollout !== null && rollout.outcome === null && rollout.step !== 'aborting' && rollout.from !== null;

function outOfHold(appName: string, { weight, steps, stepIndex }: Rollout, wanted: number | undefined): string {
  const next = steps[stepIndex + 1];
  const on = next === undefined ? 'brings it in' : `goes on to ${next.weight} % (--full brings it in)`;
  const out = `zdsup promote ${appName} ${on}, zdsup abort ${appName} gives it up`;
  return wanted === undefined || wanted === weight
    ? out
    : `zdsup canary ${appName} ${wanted} gives it ${wanted} %, ${out}`;
}

/** @param weight that was asked for: a reload cannot have it now, the rollout that is held can */
export function underWay({ supervisor, appName }: CommandContext, weight?: number): ZdsupError {
  const { rollout, scaling } = supervisor.state;
  const held = rollout !== null && isHeld(rollout);
  const step = held ? `held at ${rollout.weight} %` : rollout?.step;
  const what = rollout?.to == null ? 'being prepared' : `generation ${rollout.to}, ${step}`;
  const change = scaling ? `a scale of ${appName}` : `another rollout of ${appName}`;
  return new ZdsupError({
    code: 'ZDSUP_ROLLOUT_UNDER_WAY',
    message: `${change} is under way (${scaling ? `from ${scaling.before} to ${scaling.after} workers` : what})`,
    hint: held
      ? outOfHold(appName, rollout, weight)
      : `wait for it: zdsup status ${appName}${canBeAborted(rollout) ? `; or give it up: zdsup abort ${appName}` : ''}`,
    exitStatus: 4,
  });
}

/**
 * Of a command that changes who serves, without a rollout: what all of these are refused for alike.
 * @param why anything unknown says that the master is past everything
 */
export function refusedMeanwhile(context: CommandContext, verb: string, why: string): ZdsupError {
  switch (why as ScaleRefusal) {
    case 'stopping':
      return stopping(context.appName);
    case 'nothing-serves':
    case 'scale-under-way':
    case 'rollout-under-way':
      return underWay(context);
    default:
      return ended(context.appName, verb);
  }
}

/** @param why an {@link InterventionRefusal}; anything else says that the master is past everything */
export function refusedIntervention(
  context: CommandContext,
  verb: 'canary' | 'pause' | 'promote' | 'abort' | 'rollback',
  why: string,
): ZdsupError {
  const { appName, supervisor } = context;
  const { rollout } = supervisor.state;
  const refused = (message: string, hint: string, exitStatus: 1 | 4 = 1): ZdsupError =>
    new ZdsupError({ code: 'ZDSUP_ROLLOUT_REFUSED', message, hint, exitStatus });
  switch (why as InterventionRefusal) {
    case 'stopping':
      return stopping(appName);
    case 'no-rollout':
      return refused(
        `no rollout of ${appName} is under way: there is nothing to ${verb === 'canary' ? 'weight' : verb}${lastWords(rollout)}`,
        verb === 'abort'
          ? `zdsup status ${appName} shows what serves`
          : `zdsup reload ${appName} --weight 5 brings in new code and holds it at 5 %`,
      );
    case 'not-held':
      return refused(
        `the rollout of ${appName} is not held at a weight: it goes on to its end by itself`,
        `wait for it, or give it up: zdsup abort ${appName}; zdsup reload ${appName} --weight 5 begins one that is held`,
      );
    case 'not-there-yet':
      return refused(
        `${rollout?.to == null ? 'the reload' : `generation ${rollout.to}`} of ${appName} is on its way to ${rollout?.wantedWeight} % and not held there yet`,
        `wait for it: zdsup status ${appName}; or give it up: zdsup abort ${appName}`,
        4,
      );
    case 'aborting':
      return refused(
        `the rollout of ${appName} is being given up already: ${rollout?.reason}`,
        `wait for it: zdsup status ${appName}`,
        4,
      );
    case 'same-weight':
      return refused(
        `generation ${rollout?.to} of ${appName} gets ${rollout?.weight} % already`,
        `another weight from 0 to 100, or zdsup promote ${appName}, or zdsup abort ${appName}`,
      );
    case 'paused':
      return refused(
        `generation ${rollout?.to} of ${appName} waits at ${rollout?.weight} % already, until a person goes on`,
        outOfHold(appName, rollout!, undefined),
      );
    case 'first-start':
      return refused(
        `${appName} is at its first start: no generation serves that one could go back to`,
        `zdsup stop ${appName} ends it`,
      );
    default:
      return ended(appName, verb);
  }
}

/**
 * @param why a {@link RollbackRefusal}; anything else says that the master is past everything
 * @param release the name of what serves
 * @param hasStored releases are there to be named
 */
export function refusedRollback(
  context: CommandContext,
  why: string,
  release: string | null,
  hasStored = true,
): ZdsupError {
  const { appName, supervisor } = context;
  switch (why as RollbackRefusal) {
    case 'rollout-under-way':
    case 'scale-under-way':
      return underWay(context);
    case 'back-already': {
      const { serving, rollout } = supervisor.state;
      const cause = rollout?.cause == null ? '' : ` (${rollout.cause})`;
      return new ZdsupError({
        code: 'ZDSUP_ROLLBACK_NOTHING',
        message: `generation ${serving} of ${appName}${release === null ? '' : `, release ${release},`} is what was gone back to already, from generation ${rollout?.from}${cause}`,
        hint: `zdsup releases ${appName} lists what was deployed before: zdsup rollback ${appName} --to <release>`,
        exitStatus: 1,
      });
    }
    case 'nothing-serves':
    case 'nothing-before':
      return new ZdsupError({
        code: 'ZDSUP_ROLLBACK_NOTHING',
        message: `no release of ${appName} is known that was good before generation ${supervisor.state.serving ?? 1}`,
        hint: hasStored
          ? `zdsup releases ${appName} lists what was deployed: zdsup rollback ${appName} --to <release>`
          : `zdsup deploy ${appName} stores the folder as a release and brings it in: from then on there is one to go back to`,
        exitStatus: 1,
      });
    default:
      return refusedIntervention(context, 'rollback', why);
  }
}

/** Whoever left a rollout held finds it gone, and asks why. */
const lastWords = (last: Rollout | null): string =>
  last?.outcome === 'failed' ? ` (the last one failed: ${last.reason})` : '';

/** What was under way when everything was ended at once. */
export const ended = (appName: string, verb: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `the ${verb} of ${appName} was given up: the app was ended at once`,
    hint: `start it again with zdsup start ${appName}`,
    exitStatus: 1,
  });

/** It has ended, and not as a stop promises. */
export const stoppedAtOnce = (appName: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `${appName} was ended at once: what was in flight is lost`,
    hint: `start it again with zdsup start ${appName}`,
    exitStatus: 1,
  });
