/** Runs in the master. What a page that is opened sees of before: rates second by second, and what befell the app. Bounded, whatever happens. Pure. */
import type { Progress } from '../../shared/control-protocol.js';
import type { LiveEvent, Point } from '../../shared/dashboard-protocol.js';
import { HISTORY_EVENTS, HISTORY_POINTS } from '../../shared/dashboard-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';

/** Of an event's message, in characters: a worker's last words may be in it. */
const LONGEST_MESSAGE = 500;

export class Timeline {
  private readonly kept: { points: Point[]; events: LiveEvent[] } = { points: [], events: [] };

  /** Oldest first. */
  get points(): readonly Point[] {
    return this.kept.points;
  }

  get events(): readonly LiveEvent[] {
    return this.kept.events;
  }

  sample(app: AppSnapshot): void {
    if (!app.figures) return;
    const { at, rates, generations } = app.figures;
    const { points } = this.kept;
    while (points.length > 0 && points.at(-1)!.at >= Date.parse(at)) points.pop(); // The clock was put back: what lies after now is not drawn.
    push(points, HISTORY_POINTS, {
      at: Date.parse(at),
      rps: rates.requestsPerSecond,
      errorRate: rates.errorRate,
      p50Ms: rates.p50Ms,
      p99Ms: rates.p99Ms,
      generations: generations
        .filter(({ workerCount, rates: own }) => workerCount > 0 || own.requestsPerSecond > 0)
        .map(({ generation, rates: own }) => ({ generation, rps: own.requestsPerSecond })),
    });
  }

  event({ at, kind, message, generation }: Progress): LiveEvent {
    const event: LiveEvent = {
      ...{ at, kind, message: message.slice(0, LONGEST_MESSAGE) },
      ...(generation === undefined ? {} : { generation }),
    };
    push(this.kept.events, HISTORY_EVENTS, event);
    return event;
  }
}

function push<T>(list: T[], most: number, item: T): void {
  list.push(item);
  if (list.length > most) list.shift();
}
