/** Runs in the master. `reload --worker n`: one worker is replaced from what its generation runs; waits until its successor serves. */
import { servingGeneration } from '../../domain/fleet.js';
import type { RecycleRefusal } from '../../domain/types.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import type { Observer, RecycleEnd } from '../effects.js';
import type { CommandContext, Tell } from './context.js';
import { editedInPlace } from './edited-in-place.js';
import { ended, refusedMeanwhile, refuseWhileStopping, stopped } from './refusals.js';

export async function recycle(
  context: CommandContext,
  slot: number,
  noWait: boolean,
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor, effects, appName } = context;
  const startedAt = Date.now();
  // As before a scale: what was edited in place is not started beside what serves.
  const asked = servingGeneration(supervisor.state);
  if (asked) await effects.checkRelease(asked.number);
  refuseWhileStopping(context);
  const generation = supervisor.state.serving;

  const observer: Observer = { progress: tell };
  const recycled = new Promise<RecycleEnd>((resolve) => {
    observer.recycleEnded = (end) => {
      if (end.slot === slot && end.generation === generation) resolve(end);
    };
  });
  effects.observers.add(observer);
  try {
    const ignored = await supervisor.request({ type: 'recycle-requested', slot });
    if (ignored !== undefined) throw await refusal(context, slot, ignored);
    const done = (pid: number | null, message: string): ControlResult => ({
      ...{ type: 'result', ok: true, exitStatus: 0, command: 'recycle', slot, pid },
      durationMs: noWait ? 0 : Date.now() - startedAt,
      message,
    });
    if (noWait) return done(null, `worker ${slot} is being replaced; zdsup status shows it`);
    const over = context.ended.then(() => {
      throw ended(appName, 'reload');
    });
    const end = await Promise.race([recycled, over]);
    if (end.reason !== null && supervisor.state.stop) throw stopped(appName, 'reload');
    if (end.reason !== null) return failed(context, slot, end);
    const { workers } = supervisor.state;
    const successor = Object.values(workers).find(
      (worker) => worker.slot === slot && worker.generation === generation && !worker.recycling,
    );
    return done(
      successor?.pid ?? null,
      `worker ${slot} of generation ${generation} was replaced (pid ${successor?.pid ?? 'unknown'}), the old one drains`,
    );
  } finally {
    effects.observers.delete(observer);
  }
}

const failed = (
  { appName, supervisor }: CommandContext,
  slot: number,
  { reason, stderr }: RecycleEnd,
): ControlResult => {
  const servesOn = Object.values(supervisor.state.workers).some(
    (worker) =>
      worker.slot === slot && worker.generation === supervisor.state.serving && worker.status.state === 'active',
  );
  return failedResult(
    {
      code: 'ZDSUP_RECYCLE_FAILED',
      message: `worker ${slot} of ${appName} was not replaced: ${reason}`,
      hint: servesOn ? `the old one serves on; zdsup status ${appName} shows it` : `see zdsup status ${appName}`,
      exitStatus: 1,
    },
    stderr,
  );
};

/** @param why a {@link RecycleRefusal}; anything else says that the master is past everything */
async function refusal(context: CommandContext, slot: number, why: string): Promise<ZdsupError> {
  const { appName, supervisor } = context;
  const refused = (message: string, hint: string, exitStatus: 1 | 2 | 4): ZdsupError =>
    new ZdsupError({ code: 'ZDSUP_RECYCLE_REFUSED', message, hint, exitStatus });
  switch (why as RecycleRefusal) {
    case 'no-such-slot': {
      const slots = servingGeneration(supervisor.state)?.slots ?? [];
      return refused(
        `${appName} has no worker ${slot}: it has ${slots.length === 1 ? 'worker 0 alone' : `workers 0 to ${slots.length - 1}`}`,
        `zdsup status ${appName} shows them`,
        2,
      );
    }
    case 'not-up':
      return refused(
        `worker ${slot} of ${appName} does not serve: it is starting, or waits to be, and is a new one anyway`,
        `wait for it: zdsup status ${appName}`,
        1,
      );
    case 'recycling':
      return refused(
        `worker ${supervisor.state.recycling?.slot} of ${appName} is being replaced, and one at a time is`,
        `wait for it: zdsup status ${appName}`,
        4,
      );
    case 'release-modified':
      return editedInPlace(
        context,
        'a new worker would run other code than those that serve',
        'bring it in for all of them',
      );
    default:
      return refusedMeanwhile(context, 'reload', why);
  }
}
