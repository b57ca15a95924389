/** What one worker goes through. */
import type { Fleet, Worker } from '../../src/domain/types.js';
import type { Pledge } from './pledge.js';
import { activeIds, all, hold, leaving, live, stays, underWay } from './pledge.js';
import type { Process } from './world.js';

export const whatDrainsNeverServesAgain: Pledge = ({ before, after, effects }) => {
  for (const { id, status } of all(before).filter(leaving)) {
    const now = after.workers[id]?.status.state;
    const may = status.state === 'killing' ? [undefined, 'killing'] : [undefined, 'killing', 'draining'];
    hold(may.includes(now), `worker ${id} went from ${status.state} to ${now}`);
    hold(!effects.some((effect) => effect.type === 'activate' && effect.id === id), `worker ${id} drains for good`);
  }
};

/** Every drain ends by a finite deadline and the kill after it, and no later word moves either of them back. */
export const everyDrainHasADeadline: Pledge = ({ before, after, effects, context: { now } }) => {
  for (const { id, status } of all(after)) {
    if (status.state !== 'draining') continue;
    hold(Number.isFinite(status.deadlineAt) && Number.isFinite(status.killAt), `worker ${id} drains by an instant`);
    hold(status.killAt >= status.deadlineAt, `worker ${id} is not killed before its drain deadline`);
    hold(after.ended || status.killAt > now, `worker ${id} is killed when it is due`);
    if (after.stop) hold(status.killAt <= after.stop.deadlineAt, `worker ${id} is gone by the deadline of the stop`);
    const earlier = before.workers[id]?.status;
    if (earlier?.state !== 'draining') continue;
    hold(status.deadlineAt <= earlier.deadlineAt, `the drain deadline of worker ${id} never moves back`);
    hold(status.killAt <= earlier.killAt, `the kill of worker ${id} never moves back`);
  }
  for (const effect of effects) {
    const status = effect.type === 'retire' ? after.workers[effect.id]?.status : undefined;
    if (effect.type !== 'retire' || status?.state !== 'draining') continue;
    hold(now + effect.deadlineMs === status.deadlineAt, `worker ${effect.id} is told the deadline it is held to`);
  }
};

/**
 * The evidence is the world's own record of what the process did, not the core's. Where other workers serve, a worker
 * also sits its `minReady` out; a respawn may skip that only if nobody else serves and its release is known to be as it was.
 */
export const noTrafficBeforeReady: Pledge = ({ before, event, after, effects, context: { now } }, world) => {
  const serving = new Set(activeIds(before).filter((id) => stays(before.workers[id]!)));
  if (event.type === 'exited' || event.type === 'unresponsive' || event.type === 'leaving') serving.delete(event.id);
  for (const effect of effects) {
    if (effect.type === 'retire' || effect.type === 'park' || effect.type === 'kill') serving.delete(effect.id);
    if (effect.type !== 'activate') continue;
    const worker = after.workers[effect.id]!;
    const { policy, checked, modified } = after.generations[worker.generation]!;
    hold(provenBy(world.processes.get(effect.id), after, now), `worker ${worker.id} is activated before it is ready`);
    const { smoke } = after.generations[worker.generation]!;
    hold(smoke === 'none' || smoke === 'passed', `worker ${worker.id} takes traffic before the smoke test has passed`);
    const earlier = before.workers[worker.id]!.status;
    if (earlier.state === 'parked') continue; // It has served.
    const readyAt = earlier.state === 'ready' ? earlier.readyAt : now; // Else it became ready in this very step.
    const coming = underWay(before.rollout) && before.rollout.to === worker.generation;
    const mayHurry = coming
      ? before.rollout!.from === null || before.rollout!.alone
      : serving.size === 0 && checked && !modified;
    hold(mayHurry || now >= readyAt + policy.minReadyMs, `worker ${worker.id} sits its minReady out`);
    // In an outage alone: of a start and of a restart everybody knows that they take their time.
    const mayServeCold = !coming && mayHurry;
    const warmUp = warmUpOf(world.processes.get(worker.id)!, after, now);
    hold(warmUp !== 'failed', `worker ${worker.id} takes traffic after it has failed the warm-up that it must pass`);
    hold(mayServeCold || warmUp === 'over', `worker ${worker.id} takes traffic before its warm-up is over`);
    serving.add(worker.id);
  }
};

/** One that may fail is over at the deadline for readiness, whatever the worker does. */
function warmUpOf(
  { generation, forkedAt, warmUp }: Process,
  fleet: Fleet,
  now: number,
): 'over' | 'failed' | 'under way' {
  const { warmup, readyDeadlineMs } = fleet.generations[generation]!.policy;
  if (warmUp === 'failed' && warmup === 'required') return 'failed';
  const isLate = warmup === 'wanted' && now >= forkedAt + readyDeadlineMs;
  return warmup === 'none' || warmUp === 'passed' || warmUp === 'failed' || isLate ? 'over' : 'under way';
}

function provenBy(process: Process | undefined, fleet: Fleet, now: number): boolean {
  if (!process || process.helloAt === null) return false;
  const { policy } = fleet.generations[process.generation]!;
  if (policy.check === 'http') return process.probe === 'passed';
  if (policy.check === 'message') return process.saidReady;
  return process.open.length > 0 || now >= process.helloAt + policy.minReadyMs;
}

/** The core knows exactly the processes there are, and has one live worker at most for a slot of a generation. */
export const everyProcessIsAccountedFor: Pledge = ({ after, effects }, world) => {
  const forked = effects.flatMap((effect) => (effect.type === 'fork' ? [effect.id] : []));
  hold(new Set(forked).size === forked.length, 'a worker is forked once');
  hold(
    forked.every((id) => !world.everForked.has(id)),
    'the id of a worker is never used again',
  );
  if (after.ended) return;
  const known = Object.keys(after.workers)
    .map(Number)
    .sort((a, b) => a - b);
  const there = [...world.processes.keys(), ...forked].sort((a, b) => a - b);
  hold(`${known}` === `${there}`, `the core knows workers ${known}, there are ${there}`);
  const places = all(after)
    .filter((worker) => live(worker) && stays(worker) && !worker.recycling)
    .map((worker: Worker) => `${worker.generation}/${worker.slot}`);
  hold(new Set(places).size === places.length, `one live worker for a slot, there are ${places}`);
};
