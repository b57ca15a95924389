/** Runs in the master. `scale`: another number of workers; waits until the new ones serve, or the surplus ones have gone. */
import { servingGeneration } from '../../domain/fleet.js';
import { plural } from '../../domain/names.js';
import type { ScaleRefusal } from '../../domain/types.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import type { Observer, ScaleEnd } from '../effects.js';
import type { CommandContext, Tell } from './context.js';
import { editedInPlace } from './edited-in-place.js';
import { ended, refusedMeanwhile, refuseWhileStopping, stopped, underWay } from './refusals.js';

/** Workers that no host runs sensibly: a typing error, most likely. The config allows as many. */
const MAX_WORKERS = 1_024;

/** @param to `4`, or by how much: `+1`, `-2` */
export async function scale(context: CommandContext, to: string, tell: Tell): Promise<ControlResult> {
  const { supervisor, effects, appName } = context;
  const startedAt = Date.now();
  const asked = servingGeneration(supervisor.state);
  // What was edited in place is not started beside what serves. The look takes a while on a large folder: all else is read after it.
  if (asked) await effects.checkRelease(asked.number);
  refuseWhileStopping(context);
  const serving = servingGeneration(supervisor.state);
  if (!serving) throw underWay(context);
  const before = serving.slots.length;
  const count = countOf(to, before, appName);
  const done = (message: string): ControlResult => ({
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'scale',
    workers: count,
    durationMs: Date.now() - startedAt,
    message,
  });

  const observer: Observer = { progress: tell };
  const scaled = new Promise<ScaleEnd>((resolve) => {
    observer.scaleEnded = resolve;
  });
  effects.observers.add(observer);
  try {
    const ignored = await supervisor.request({ type: 'scale-requested', count });
    if (ignored === ('same-count' satisfies ScaleRefusal)) return done(`${count} ${plural(count, 'worker')} already`);
    if (ignored !== undefined) throw await refusal(context, ignored);
    const over = context.ended.then(() => {
      throw ended(appName, 'scale');
    });
    const end = await Promise.race([scaled, over]);
    if (end.reason !== null && supervisor.state.stop) throw stopped(appName, 'scale');
    return end.reason === null
      ? done(`${count} ${count === 1 ? 'worker serves' : 'workers serve'}`)
      : takenBack(end, before, appName);
  } finally {
    effects.observers.delete(observer);
  }
}

function countOf(to: string, before: number, appName: string): number {
  const count = /^[+-]/.test(to) ? before + Number(to) : Number(to);
  if (count >= 1 && count <= MAX_WORKERS) return count;
  const came = /^[+-]/.test(to) ? `${to} of ${before} is ${count}` : to;
  throw new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `scale: ${came} workers`,
    hint: count < 1 ? `at least 1; zdsup stop ${appName} ends the app` : `at most ${MAX_WORKERS}`,
    exitStatus: 2,
  });
}

/** @param why a {@link ScaleRefusal}; anything else says that the master is past everything */
async function refusal(context: CommandContext, why: string): Promise<ZdsupError> {
  const { appName } = context;
  switch (why as ScaleRefusal) {
    case 'release-modified':
      return editedInPlace(context, 'new workers would run other code than those that serve', 'bring it in first');
    case 'too-few-up':
      return new ZdsupError({
        code: 'ZDSUP_SCALE_REFUSED',
        message: 'one of the workers that would stay is not up: ending others now would leave too few',
        hint: `see zdsup status ${appName}, and try again when all are active`,
        exitStatus: 1,
      });
    default:
      return refusedMeanwhile(context, 'scale', why);
  }
}

const takenBack = (end: ScaleEnd, before: number, appName: string): ControlResult =>
  failedResult(
    {
      code: 'ZDSUP_SCALE_FAILED',
      message: end.reason!,
      hint: `${appName} has ${before} ${plural(before, 'worker')} as before; mend the cause and scale again`,
      exitStatus: 1,
    },
    end.stderr,
  );
