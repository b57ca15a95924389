/** Runs in the master. The commands that start a rollout: they wait for its end, and for the old generation's. */
import { isCrashLooping } from '../../domain/crash-loop.js';
import { changeUnderWay } from '../../domain/fleet.js';
import type { RolloutKind } from '../../domain/types.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import type { Effects, Observer, RolloutEnd } from '../effects.js';
import type { CommandContext, Tell } from './context.js';
import { ended, refuseWhileStopping, stopped, underWay } from './refusals.js';

export async function rollOut(
  context: CommandContext,
  kind: RolloutKind,
  options: { allowListeners: boolean; noWait: boolean },
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor, effects, appName } = context;
  const startedAt = Date.now();
  refuseWhileStopping(context);
  if (changeUnderWay(supervisor.state)) throw underWay(context);

  const done = (generation: number | null, message: string): ControlResult => ({
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: kind,
    generation,
    durationMs: options.noWait ? 0 : Date.now() - startedAt,
    message,
  });
  const { serving } = supervisor.state;
  const watch = watchRollout(effects, serving, tell);
  try {
    const ignored = await supervisor.request({
      type: 'rollout-requested',
      kind,
      source: 'command',
      allowListeners: options.allowListeners,
    });
    if (ignored !== undefined) throw underWay(context);
    if (options.noWait) return done(serving, `the ${kind} was accepted and goes on; zdsup status shows it`);
    const end = await orEnded(context, kind, watch.ended);
    if (end.rollout.outcome === 'failed' && supervisor.state.stop) throw stopped(appName, kind);
    if (end.rollout.outcome === 'failed') return failure(end, appName, isModified(context, end.rollout.from));
    await orEnded(context, kind, watch.drained);
    const { to } = end.rollout;
    if (to !== null && isCrashLooping(supervisor.state.generations[to])) return crashLoops(to, appName);
    return done(to, `generation ${to} serves, the old workers have gone`);
  } finally {
    watch.stop();
  }
}

/** An end at once comes over everything that is waited for. */
const orEnded = <T>({ ended: end, appName }: CommandContext, kind: RolloutKind, wait: Promise<T>): Promise<T> =>
  Promise.race([
    wait,
    end.then(() => {
      throw ended(appName, kind);
    }),
  ]);

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
  const rolloutEnded = new Promise<RolloutEnd>((resolve) => {
    observer = Object.assign(observer, { progress: tell, rolloutEnded: resolve });
  });
  effects.observers.add(observer);
  return { ended: rolloutEnded, drained, stop: () => effects.observers.delete(observer) };
}

const isModified = ({ supervisor }: CommandContext, generation: number | null): boolean =>
  generation !== null && supervisor.state.generations[generation]?.modified === true;

/** @param modified the old generation's folder was edited in place: what it starts again is not what it was */
export function failure(end: RolloutEnd, appName: string, modified = false): ControlResult {
  const error = end.error ?? {
    code: 'ZDSUP_ROLLOUT_FAILED' as const,
    message: end.rollout.reason ?? 'the rollout failed',
    hint: whatNow(end.rollout, appName, modified),
    exitStatus: 1 as const,
  };
  const exitStatus = error.exitStatus === 0 ? 1 : error.exitStatus;
  return { type: 'result', ok: false, exitStatus, error, ...(end.stderr.length > 0 ? { stderr: end.stderr } : {}) };
}

function whatNow({ from, to, kind }: RolloutEnd['rollout'], appName: string, modified: boolean): string {
  if (from === null) return 'mend it and start again';
  const again = `mend the release and run zdsup ${kind} ${appName} again`;
  const edited = 'its folder was edited in place, and workers that start again run what is there now';
  if (kind === 'reload' || to === null)
    return `generation ${from} goes on serving${modified ? `, but ${edited}` : ''}; ${again}`;
  return modified
    ? `generation ${from} is tried again, but ${edited}; the socket is held, and connections wait; ${again}`
    : `generation ${from} was started again; ${again}`;
}

const crashLoops = (generation: number, appName: string): ControlResult => ({
  type: 'result',
  ok: false,
  exitStatus: 1,
  error: {
    code: 'ZDSUP_ROLLOUT_FAILED',
    message: `generation ${generation} was promoted, and crash-loops since`,
    hint: `see zdsup status ${appName}; mend the release and run zdsup reload ${appName} again`,
    exitStatus: 1,
  },
});
