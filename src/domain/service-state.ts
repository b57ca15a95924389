/** What a service manager is told of a fleet. Pure. */
import { activeCount, allWorkers, changeUnderWay, isActive, isLeaving, rolloutUnderWay, stays } from './fleet.js';
import { plural } from './names.js';
import type { Fleet, Rollout } from './types.js';

/** One line for people: `generation 7, 4 workers, 1 draining`. */
export function statusWords(fleet: Fleet): string {
  const { serving, rollout, stop } = fleet;
  const active = activeCount(fleet);
  const draining = allWorkers(fleet).filter(isLeaving).length;
  const workers = `${active} ${plural(active, 'worker')}`;
  const words = stop
    ? ['stopping', ...(draining > 0 ? [] : [workers])]
    : serving === null
      ? [rollout?.to == null ? 'starting' : `starting generation ${rollout.to}`, workers]
      : [`generation ${serving}`, workers];
  if (draining > 0) words.push(`${draining} draining`);
  if (!stop && serving !== null && rollout && rolloutUnderWay(fleet)) words.push(comingWords(rollout));
  const generation = serving === null ? undefined : fleet.generations[serving];
  const looping = Object.values(generation?.slotState ?? {}).filter((slot) => slot.looping).length;
  if (!stop && looping > 0) words.push(`${looping} crash-looping`);
  return words.join(', ');
}

function comingWords({ kind, to, step, weight }: Rollout): string {
  if (step === 'aborting') return to === null ? `the ${kind} is given up` : `generation ${to} is given up`;
  if (to === null) return `${kind} under way`;
  return weight === null ? `generation ${to} comes` : `generation ${to} at ${weight} %`;
}

/**
 * Is it as well as it can be? At least one worker serves or is on its way to: it starts, and its deadline runs. In a start, a rollout, a scale or a
 * stop nobody may serve for a while, and each of them has deadlines of its own.
 */
export const isHealthy = (fleet: Fleet): boolean =>
  fleet.stop !== null ||
  changeUnderWay(fleet) ||
  allWorkers(fleet).some(
    (worker) =>
      stays(worker) && (isActive(worker) || worker.status.state === 'starting' || worker.status.state === 'ready'),
  );

/** Something is under way that takes its time, and ends by deadlines of its own. */
export const isBusy = (fleet: Fleet): boolean =>
  fleet.stop !== null || changeUnderWay(fleet) || allWorkers(fleet).some(isLeaving);
