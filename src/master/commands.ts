/** Runs in the master. What the control commands do: they post events and wait for what the core makes of them. */
import { rolloutUnderWay } from '../domain/fleet.js';
import type { ControlRequest, ControlResult, Progress } from '../shared/control-protocol.js';
import { ZdsupError } from '../shared/errors.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import type { Effects, Observer, RolloutEnd } from './effects.js';
import type { Supervisor } from './supervisor.js';

export interface CommandContext {
  appName: string;
  supervisor: Supervisor;
  effects: Effects;
  snapshot(): Promise<AppSnapshot>;
  /** Settles when the last worker has gone. */
  ended: Promise<unknown>;
}

type Tell = (progress: Progress) => void;

export function handleCommand(context: CommandContext, request: ControlRequest, tell: Tell): Promise<ControlResult> {
  switch (request.command) {
    case 'status':
      return context.snapshot().then((app) => ({ type: 'result', ok: true, exitStatus: 0, command: 'status', app }));
    case 'reload':
      return reload(
        context,
        { allowListeners: request.allowListeners === true, noWait: request.noWait === true },
        tell,
      );
    case 'stop':
      return stop(context, tell);
  }
}

async function reload(
  context: CommandContext,
  options: { allowListeners: boolean; noWait: boolean },
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor, effects, appName } = context;
  const startedAt = Date.now();
  if (supervisor.state.stop)
    throw new ZdsupError({
      code: 'ZDSUP_STOPPING',
      message: `${appName} is stopping`,
      hint: `start it again with zdsup start`,
      exitStatus: 4,
    });
  if (rolloutUnderWay(supervisor.state)) throw underWay(context);

  const watch = watchRollout(effects, supervisor.state.serving, tell);
  try {
    const ignored = await supervisor.request({
      type: 'reload-requested',
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
    if (end.rollout.outcome === 'failed' && supervisor.state.stop) throw stopped(appName);
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

const stopped = (appName: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_STOPPING',
    message: `the reload of ${appName} was given up: the app was stopped`,
    hint: 'start it again with zdsup start',
    exitStatus: 1,
  });

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

function underWay({ supervisor, appName }: CommandContext): ZdsupError {
  const rollout = supervisor.state.rollout;
  const what = rollout?.to == null ? 'being prepared' : `generation ${rollout.to}, ${rollout.step}`;
  return new ZdsupError({
    code: 'ZDSUP_ROLLOUT_UNDER_WAY',
    message: `another rollout of ${appName} is under way (${what})`,
    hint: `wait for it: zdsup status ${appName}`,
    exitStatus: 4,
  });
}

async function stop({ supervisor, effects, ended }: CommandContext, tell: Tell): Promise<ControlResult> {
  const startedAt = Date.now();
  const observer: Observer = { progress: tell };
  effects.observers.add(observer);
  supervisor.post({ type: 'stop-requested' });
  await ended;
  return {
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'stop',
    durationMs: Date.now() - startedAt,
    message: 'stopped',
  };
}
