/**
 * The step `canary` of a rollout with a weight: some new workers serve beside all the old ones. Where a person gave the weight, the rollout
 * holds there until a person acts; else it goes from step to step of its policy, as time and verdict allow. Like the rest of the rollout it only
 * edits the desired slots, and is run again after every event. Pure.
 */
import { allWorkers, isActive, isConfirmed, range, rolloutUnderWay, workersOf } from './fleet.js';
import { plural } from './names.js';
import type { CanaryStep, Effect, Fleet, Generation, Policy, Rollout, Routing } from './types.js';

/** So many workers take `weight` percent; one at least, also where it gets nothing. */
export const canaryCount = ({ instances }: Policy, weight: number): number =>
  Math.max(1, Math.ceil((instances * weight) / 100));

/** A rollout that was asked for without a weight takes the steps of the new config, where it has any. */
export function beginCanary(rollout: Rollout, { canary }: Policy): void {
  if (!canary || rollout.kind !== 'reload' || rollout.noCanary || rollout.from === null) return;
  if (rollout.wantedWeight !== null) return;
  rollout.steps = canary.steps;
  rollout.wantedWeight = canary.steps[0]!.weight;
}

/** It has come to its weight. */
export const isHeld = ({ step, weight, wantedWeight }: Rollout): boolean =>
  step === 'canary' && weight !== null && weight === wantedWeight;

/** Grows first: the weight follows once the workers that it needs serve. Shrinks last: who is to leave gets nothing new any more. */
export function advanceCanary(
  fleet: Fleet,
  rollout: Rollout,
  target: Generation,
  wanted: number,
  now: number,
  effects: Effect[],
): boolean {
  const slots = range(canaryCount(target.policy, wanted));
  if (target.slots.length < slots.length) {
    target.slots = slots;
    return true;
  }
  if (rollout.weight === wanted) return rollout.step === 'canary' && leaveStep(rollout, target, now, effects);
  const serving = workersOf(fleet, target.number).filter(isConfirmed);
  if (!slots.every((slot) => serving.some((worker) => worker.slot === slot))) return false;
  rollout.step = 'canary';
  rollout.weight = wanted;
  rollout.heldAt = now;
  target.slots = slots;
  const message = `generation ${target.number} gets ${wanted} % of the traffic with ${slots.length} ${plural(slots.length, 'worker')}; ${until(rollout)}`;
  effects.push({ type: 'progress', kind: 'held', message, generation: target.number });
  if (waitsForPerson(rollout)) effects.push({ type: 'held', rollout: { ...rollout } });
  return true;
}

/** Of its steps, the one under way; null where a person gives the weights. */
export const stepOf = ({ steps, stepIndex }: Rollout): CanaryStep | null => steps[stepIndex] ?? null;

/** Time alone takes it nowhere. */
const waitsForPerson = (rollout: Rollout): boolean => rollout.paused || (stepOf(rollout)?.pauseMs ?? null) === null;

/** When its step is over; null where only a person ends it. */
export function stepOverAt(rollout: Rollout): number | null {
  if (!isHeld(rollout) || waitsForPerson(rollout)) return null;
  return rollout.heldAt + stepOf(rollout)!.pauseMs!;
}

function until(rollout: Rollout): string {
  if (waitsForPerson(rollout)) return 'held there';
  const { steps, stepIndex } = rollout;
  return `step ${stepIndex + 1} of ${steps.length}, for ${stepOf(rollout)!.pauseMs! / 1000} s`;
}

/** A step whose time is over: on to the next by a good verdict; without one as the policy has it. A bad one has ended the rollout before. */
function leaveStep(rollout: Rollout, target: Generation, now: number, effects: Effect[]): boolean {
  const overAt = stepOverAt(rollout);
  if (overAt === null || now < overAt) return false;
  if (rollout.verdict?.kind === 'good') {
    nextStep(rollout, rollout.verdict.reason, effects);
    return true;
  }
  if (target.policy.canary?.inconclusive !== 'pause') return false; // The next verdict may be one.
  pauseCanary(rollout, rollout.verdict?.reason ?? 'nothing was seen of its traffic yet', effects);
  return true;
}

/** @param why in words */
export function pauseCanary(rollout: Rollout, why: string, effects: Effect[]): void {
  rollout.paused = true;
  effects.push({
    type: 'progress',
    kind: 'paused',
    message: `generation ${rollout.to}: ${isHeld(rollout) ? 'paused' : 'on its way, and pauses'} at ${rollout.wantedWeight} % of the traffic (${why})`,
    generation: rollout.to!,
  });
  if (isHeld(rollout)) effects.push({ type: 'held', rollout: { ...rollout } });
}

/** To the next step of the policy; after the last one, to the promotion. */
export function nextStep(rollout: Rollout, why: string, effects: Effect[]): void {
  rollout.paused = false;
  const next = rollout.steps.findIndex(
    ({ weight }, index) => index > rollout.stepIndex && weight > (rollout.weight ?? 0),
  );
  if (next < 0) {
    promoteHeld(rollout, why, effects);
    return;
  }
  rollout.stepIndex = next;
  rollout.wantedWeight = rollout.steps[next]!.weight;
  effects.push({
    type: 'progress',
    kind: 'stepping',
    message: `generation ${rollout.to}: on to ${rollout.wantedWeight} % of the traffic (${why})`,
    generation: rollout.to!,
  });
}

/** From here on it is a rollout as any other: workers are worth the same, and the old ones leave as new ones serve. */
export function promoteHeld(rollout: Rollout, why: string, effects: Effect[]): void {
  rollout.step = 'shifting';
  rollout.weight = null;
  rollout.wantedWeight = null;
  effects.push({
    type: 'progress',
    kind: 'promoting',
    message: `generation ${rollout.to}: promoted (${why}); it takes all the traffic over`,
    generation: rollout.to!,
  });
}

/** By generation; {} where nothing is held back. A coming generation gets nothing until its weight holds, and when it is given up. */
export function weightsOf(fleet: Fleet): Routing['weights'] {
  const { rollout } = fleet;
  if (!rollout || !rolloutUnderWay(fleet) || rollout.wantedWeight === null || fleet.stop) return {};
  const { from, to, step } = rollout;
  const serves = allWorkers(fleet).some((worker) => worker.generation === to && isActive(worker));
  if (from === null || to === null || !serves) return {};
  const weight = step === 'canary' ? (rollout.weight ?? 0) : 0;
  return { [from]: 100 - weight, [to]: weight };
}
