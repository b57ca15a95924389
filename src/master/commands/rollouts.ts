/** Runs in the master. The commands that start a rollout: they wait for its end, and for the old generation's. */
import { rolloutUnderWay } from '../../domain/fleet.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import type { Effects, Observer, RolloutEnd } from '../effects.js';
import type { CommandContext, Tell } from './context.js';
import { refuseWhileStopping, stopped, underWay } from './refusals.js';

export async function reload(
  context: CommandContext,
  options: { allowListeners: boolean; noWait: boolean },
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor, effects, appName } = context;
  const startedAt = Date.now();
  refuseWhileStopping(context);
  if (rolloutUnderWay(supervisor.state)) throw underWay(context);

  const watch = watchRollout(effects, supervisor.state.serving, tell);
  try {
    const ignored = await supervisor.request({
      type: 'rollout-requested',
      kind: 'reload',
      source: 'command',
      allowListeners: options.allowListeners,
    });
    if (ignored !== undefined) throw underWay(context);
    const generationNow = supervisor.state.serving;
    if (options.noWait)
      return {
        type: 'result',
        ok: true,
        exitStatus: 0,
        command: 'reload',
        generation: generationNow,
        durationMs: 0,
        message: 'the reload was accepted and goes on; zdsup status shows it',
      };
    const end = await watch.ended;
    if (end.rollout.outcome === 'failed' && supervisor.state.stop) throw stopped(appName, 'reload');
    if (end.rollout.outcome === 'failed') return failure(end, appName, isModified(context, end.rollout.from));
    await watch.drained;
    return {
      type: 'result',
      ok: true,
      exitStatus: 0,
      command: 'reload',
      generation: end.rollout.to,
      durationMs: Date.now() - startedAt,
      message: `generation ${end.rollout.to} serves, the old workers have gone`,
    };
  } finally {
    watch.stop();
  }
}

/** The next rollout to end, and the moment when the generation that served before has gone. */
function watchRollout(
  effects: Effects,
  from: number | null,
  tell: Tell,
): { ended: Promise<RolloutEnd>; drained: Promise<void>; stop(): void } {
  let observer: Observer = {};
  const drained = new Promise<void>((resolve) => {
    observer.generationGone = (generation) => {
      if (generation === from) resolve();
    };
  });
  const ended = new Promise<RolloutEnd>((resolve) => {
    observer = Object.assign(observer, { progress: tell, rolloutEnded: resolve });
  });
  effects.observers.add(observer);
  return { ended, drained, stop: () => effects.observers.delete(observer) };
}

const isModified = ({ supervisor }: CommandContext, generation: number | null): boolean =>
  generation !== null && supervisor.state.generations[generation]?.modified === true;

/** @param modified the old generation's folder was edited in place: what it starts again is not what it was */
export function failure(end: RolloutEnd, appName: string, modified = false): ControlResult {
  const error = end.error ?? {
    code: 'ZDSUP_ROLLOUT_FAILED' as const,
    message: end.rollout.reason ?? 'the rollout failed',
    hint:
      end.rollout.from === null
        ? 'mend it and start again'
        : `generation ${end.rollout.from} goes on serving${modified ? ', but its folder was edited in place, and workers that start again run what is there now' : ''}; mend the release and run zdsup reload ${appName} again`,
    exitStatus: 1 as const,
  };
  const exitStatus = error.exitStatus === 0 ? 1 : error.exitStatus;
  return { type: 'result', ok: false, exitStatus, error, ...(end.stderr.length > 0 ? { stderr: end.stderr } : {}) };
}
