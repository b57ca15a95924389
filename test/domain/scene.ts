/** The fake world with the words that the examples are told in. */
import { nextWakeAt } from '../../src/domain/reconcile.js';
import type {
  Effect,
  Rollout,
  RolloutKind,
  RolloutSource,
  Verdict,
  Worker,
  WorkerStatus,
} from '../../src/domain/types.js';
import type { ProgressKind } from '../../src/shared/control-protocol.js';
import { World } from './world.js';

export class Scene extends World {
  start(): this {
    this.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    return this.settle();
  }

  /** A reload was asked for and its release is prepared. @returns why it was refused */
  reload(source: RolloutSource = 'command', allowListeners = false): string | undefined {
    return this.rollOut('reload', source, allowListeners);
  }

  /** A reload to be held at a weight; its release is prepared. @returns why it was refused */
  canary(weight: number): string | undefined {
    return this.rollOut('reload', 'command', false, weight);
  }

  /** @returns why it was refused */
  weigh(weight: number): string | undefined {
    return this.send({ type: 'weight-requested', weight }).ignored;
  }

  /** @returns why it was refused */
  promote(full = false): string | undefined {
    return this.send({ type: 'promote-requested', full }).ignored;
  }

  /** @returns why it was refused */
  pause(): string | undefined {
    return this.send({ type: 'pause-requested' }).ignored;
  }

  /** Its release is prepared, where it has to be. @returns why it was refused */
  rollBack(): string | undefined {
    const { ignored } = this.send({ type: 'rollback-requested' });
    const prepared = this.answer();
    if (prepared) this.send(prepared);
    return ignored;
  }

  /** Of the judge, on whatever it judges now. @returns why it was ignored */
  judge(kind: Verdict['kind'], reason = `it is ${kind}`): string | undefined {
    const { rolloutId } = this.fleet.judging ?? { rolloutId: 0 };
    return this.send({ type: 'verdict', rolloutId, verdict: { kind, reason } }).ignored;
  }

  /** Everyone lives well, and the clock runs on to this instant at most. */
  until(at: number): this {
    for (;;) {
      this.bootAll();
      const wakeAt = nextWakeAt(this.fleet, this.now);
      if (wakeAt === null || wakeAt > at) break;
      this.now = wakeAt;
      this.send({ type: 'timer' });
    }
    this.advance(at - this.now);
    return this;
  }

  /** @returns why it was refused */
  abort(): string | undefined {
    return this.send({ type: 'abort-requested' }).ignored;
  }

  restart(): string | undefined {
    return this.rollOut('restart', 'command', false);
  }

  private rollOut(
    kind: RolloutKind,
    source: RolloutSource,
    allowListeners: boolean,
    weight?: number,
  ): string | undefined {
    const { ignored } = this.send({ type: 'rollout-requested', kind, source, allowListeners, weight });
    const prepared = this.answer();
    if (prepared) this.send(prepared);
    return ignored;
  }

  /** @throws where no such worker is in one of the states */
  worker(generation: number, slot: number, ...states: WorkerStatus['state'][]): Worker {
    const found = Object.values(this.fleet.workers).find(
      (worker) =>
        worker.generation === generation &&
        worker.slot === slot &&
        (states.length === 0 || states.includes(worker.status.state)),
    );
    if (!found) throw new Error(`no worker ${slot} of generation ${generation} is ${states.join(' or ') || 'there'}`);
    return found;
  }

  /** @returns why it was refused */
  scale(count: number): string | undefined {
    return this.send({ type: 'scale-requested', count }).ignored;
  }

  /** @returns why the core did not want to hear of it */
  block(worker: Worker): string | undefined {
    this.processes.get(worker.id)!.hung = true;
    return this.send({ type: 'unresponsive', id: worker.id }).ignored;
  }

  /** Messages of one kind so far. */
  told(kind: ProgressKind): string[] {
    return this.effects.flatMap((effect) =>
      effect.type === 'progress' && effect.kind === kind ? [effect.message] : [],
    );
  }

  crash(worker: Worker, code = 1): Effect[] {
    return this.send({ type: 'exited', id: worker.id, code, signal: null }).effects;
  }

  /** `generation/slot` of the workers in this state, in order of their fork. */
  slots(state: WorkerStatus['state']): string[] {
    return Object.values(this.fleet.workers)
      .filter((worker) => worker.status.state === state)
      .map((worker) => `${worker.generation}/${worker.slot}`);
  }

  /** Rollouts that have ended so far. */
  get verdicts(): Rollout[] {
    return this.effects.flatMap((effect) => (effect.type === 'rollout-ended' ? [effect.rollout] : []));
  }
}
