/** Runs in the master. The commands that start a rollout: they wait for the weight that it is held at, or for its end and the old generation's. */
import { isCrashLooping } from '../../domain/crash-loop.js';
import { changeUnderWay, isConfirmed, workersOf } from '../../domain/fleet.js';
import type { ReleaseRef, Rollout, RolloutKind } from '../../domain/types.js';
import { bootsToWake } from '../../domain/warm.js';
import type { ControlResult, FailedResult } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import { wakeWords } from '../../shared/parked-words.js';
import type { Observer, RolloutEnd } from '../effects.js';
import { betweenWords } from '../plans.js';
import type { CommandContext, Tell } from './context.js';
import { ended, refuseWhileStopping, stopped, underWay } from './refusals.js';
import { releaseName } from './release-name.js';

export async function rollOut(
  context: CommandContext,
  kind: Exclude<RolloutKind, 'rollback'>,
  options: {
    allowListeners: boolean;
    noWait: boolean;
    noCanary?: boolean;
    weight?: number | undefined;
    release?: ReleaseRef | undefined;
  },
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor } = context;
  const startedAt = Date.now();
  refuseWhileStopping(context);
  if (changeUnderWay(supervisor.state)) throw underWay(context, options.weight);

  const { serving } = supervisor.state;
  const watch = watchRollout(context, serving, tell, options.release ? 'deploy' : kind);
  try {
    const ignored = await supervisor.request({
      type: 'rollout-requested',
      kind,
      source: 'command',
      allowListeners: options.allowListeners,
      weight: options.weight,
      noCanary: options.noCanary,
      target: options.release && { kind: 'release', release: options.release },
    });
    if (ignored !== undefined) throw underWay(context, options.weight);
    const accepted = `the ${kind} was accepted and goes on; zdsup status shows it`;
    if (options.noWait) return succeeded(kind, serving, 0, accepted);
    return await outcome(context, kind, watch, startedAt);
  } finally {
    watch.stop();
  }
}

/** A command about a rollout: the one that began it, or one that came to it later. */
export type RolloutCommand = Extract<ControlResult, { generation: number | null }>['command'];

/** Waits for the hold that was asked for, else for the end and for the old generation's. */
export async function outcome(
  context: CommandContext,
  command: RolloutCommand,
  watch: RolloutWatch,
  startedAt: number,
): Promise<ControlResult> {
  const { supervisor, appName } = context;
  const end = await orEnded(context, command, Promise.race([watch.ended, watch.held]));
  if ('step' in end) return { ...succeeded(command, end.to, startedAt, heldWords(end, appName)), weight: end.weight! };
  if (end.rollout.outcome === 'failed' && supervisor.state.stop) throw stopped(appName, command);
  if (end.rollout.outcome === 'failed') return failureOf(context, end, watch);
  const { from, to } = end.rollout;
  await orEnded(context, command, context.web.settled()); // What it cannot have of the new config is told by then.
  const isParked = from !== null && supervisor.state.warm?.generation === from;
  if (!isParked) await orEnded(context, command, watch.drained);
  const { rollout } = supervisor.state;
  if (rollout?.kind === 'rollback' && rollout.from === to && rollout.outcome !== 'failed')
    return wentBack(rollout, context, watch);
  if (to !== null && isCrashLooping(supervisor.state.generations[to])) return crashLoops(to, context, watch);
  const old = isParked
    ? `generation ${from} is parked: ${wakeWords(appName, bootsToWake(supervisor.state))}`
    : 'the old workers have gone';
  // Of a rollback that is the question: numbers of generations say nothing of what they run.
  const name = command === 'rollback' ? await releaseName(context, to) : null;
  const serves = `generation ${to} serves${name === null ? '' : ` release ${name}`}`;
  return { ...succeeded(command, to, startedAt, `${serves}, ${old}`), ...trialOf(context) };
}

function trialOf({ supervisor }: CommandContext): { trialMs?: number } {
  const { soak } = supervisor.state;
  return soak === null ? {} : { trialMs: Math.max(0, Math.ceil((soak.until - supervisor.now()) / 1000) * 1000) };
}

/** @param startedAt 0: nothing was waited for */
export const succeeded = (
  command: RolloutCommand,
  generation: number | null,
  startedAt: number,
  message: string,
): Extract<ControlResult, { generation: number | null }> => ({
  type: 'result',
  ok: true,
  exitStatus: 0,
  command,
  generation,
  durationMs: startedAt === 0 ? 0 : Date.now() - startedAt,
  message,
});

const heldWords = ({ from, to, weight, steps, stepIndex }: Rollout, appName: string): string =>
  steps.length > 0
    ? `generation ${to} gets ${weight} % of the traffic, generation ${from} the rest; paused at step ${stepIndex + 1} of ${steps.length}: zdsup promote ${appName} goes on, zdsup promote ${appName} --full to the end, zdsup abort ${appName} back`
    : `generation ${to} gets ${weight} % of the traffic, generation ${from} the rest; held there until you act, or it crashes or its figures give it up: zdsup canary ${appName} <weight>, zdsup promote ${appName} or zdsup abort ${appName} goes on`;

/** An end at once comes over everything that is waited for. */
export const orEnded = <T>(
  { ended: end, appName }: CommandContext,
  command: RolloutCommand,
  wait: Promise<T>,
): Promise<T> =>
  Promise.race([
    wait,
    end.then(() => {
      throw ended(appName, command);
    }),
  ]);

/** The next rollout to end or to be held (of a rollback, along the last way that is tried), and the moment when the generation that served before has gone. */
export interface RolloutWatch {
  ended: Promise<RolloutEnd>;
  held: Promise<Rollout>;
  drained: Promise<void>;
  /** What brings its release in once it is mended: one that was deployed is deployed again. */
  verb: string;
  stop(): void;
}

export function watchRollout(
  context: CommandContext,
  from: number | null,
  tell: Tell,
  verb: string = verbOf(context),
): RolloutWatch {
  let observer: Observer = {};
  const drained = new Promise<void>((resolve) => {
    observer.generationGone = (generation) => {
      if (generation === from) resolve();
    };
  });
  const rolloutEnded = new Promise<RolloutEnd>((resolve) => {
    const rolloutEnded = (end: RolloutEnd): void => {
      if (end.rollout.ways.length === 0) resolve(end); // Else a rollback goes on, along the next way.
    };
    observer = Object.assign(observer, { progress: tell, rolloutEnded });
  });
  const held = new Promise<Rollout>((resolve) => {
    observer.held = resolve;
  });
  const { observers } = context.effects;
  observers.add(observer);
  return { ended: rolloutEnded, held, drained, verb, stop: () => observers.delete(observer) };
}

/** Of the rollout under way. */
function verbOf({ effects, supervisor }: CommandContext): string {
  const { rollout } = supervisor.state;
  return effects.plans.get(rollout?.to ?? -1)?.deployed ? 'deploy' : (rollout?.kind ?? 'reload');
}

/** Of the old generation: `modified` was edited in place, and what it starts again is not what it was; `down` has no worker that serves. */
type Condition = 'serves' | 'modified' | 'down';

export function conditionOf({ supervisor: { state } }: CommandContext, generation: number | null): Condition {
  if (!workersOf(state, generation).some(isConfirmed)) return 'down';
  return generation !== null && state.generations[generation]?.modified ? 'modified' : 'serves';
}

const again = ({ appName }: CommandContext, verb: string): string =>
  `mend the release and run zdsup ${verb} ${appName} again`;

/** Of a rollout that a command has followed. */
export function failureOf(context: CommandContext, end: RolloutEnd, { verb }: RolloutWatch): FailedResult {
  const { rollout } = end;
  return failure(end, whatNow(context, rollout, conditionOf(context, rollout.from), verb));
}

/** @param hint where the end brings none of its own */
export function failure(end: RolloutEnd, hint = 'mend it and start again'): FailedResult {
  const error = end.error ?? {
    code: 'ZDSUP_ROLLOUT_FAILED' as const,
    message: end.rollout.reason ?? 'the rollout failed',
    hint: end.hint === undefined ? hint : `${end.hint}; ${hint}`,
    exitStatus: 1 as const,
  };
  return failedResult(error, end.stderr);
}

function whatNow(
  context: CommandContext,
  { from, to, kind, alone, backTo, aborted }: Rollout,
  condition: Condition,
  verb: string,
): string {
  if (from === null) return 'mend it and start again';
  if (kind === 'rollback')
    return `generation ${from} ${alone && to !== null ? 'was started again' : 'goes on as before'}: see zdsup status ${context.appName}${toBetween(context, backTo)}`;
  // Nothing was found wrong with what a person has given up.
  const retry = aborted ? `zdsup ${verb} ${context.appName} brings it in again` : again(context, verb);
  const edited = 'its folder was edited in place, and workers that start again run what is there now';
  if (kind === 'restart' && to !== null && condition !== 'serves')
    return `generation ${from} is tried again, but ${condition === 'modified' ? edited : 'does not serve yet'}; the socket is held, and connections wait; ${retry}`;
  if (kind === 'restart' && to !== null) return `generation ${from} was started again; ${retry}`;
  if (condition === 'down') return `generation ${from} is down, as it was before, and is tried again; ${retry}`;
  return `generation ${from} goes on serving${condition === 'modified' ? `, but ${edited}` : ''}; ${retry}`;
}

/** Where the last good one could not be gone back to. */
function toBetween({ appName, effects, supervisor }: CommandContext, backTo: number | null): string {
  const { fallback } = supervisor.state;
  const between = fallback === null || fallback === backTo ? undefined : effects.plans.get(fallback)?.deployed;
  return between ? `; ${betweenWords(appName, between)}` : '';
}

/** Its soak has ended it before the drain of the old one was over. */
const wentBack = ({ from, to, cause }: Rollout, context: CommandContext, { verb }: RolloutWatch): ControlResult =>
  failedResult({
    code: 'ZDSUP_ROLLOUT_FAILED',
    message: `generation ${from} was promoted, and failed in its soak (${cause ?? 'rolled back by hand'}): ${to === null ? 'it is being rolled back' : `generation ${to} takes its place`}`,
    hint: `see zdsup history ${context.appName}; ${again(context, verb)}`,
    exitStatus: 1,
  });

const crashLoops = (generation: number, context: CommandContext, { verb }: RolloutWatch): ControlResult =>
  failedResult({
    code: 'ZDSUP_ROLLOUT_FAILED',
    message: `generation ${generation} was promoted, and crash-loops since`,
    hint: `see zdsup status ${context.appName}; ${again(context, verb)}`,
    exitStatus: 1,
  });
