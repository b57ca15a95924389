/**
 * A fake outside world for the core: it holds the processes that the effects forked, lets only happen what can physically
 * happen to them, and moves the clock by hand. A process lives well unless a test says otherwise.
 */
import { emptyFleet } from '../../src/domain/fleet.js';
import { nextWakeAt } from '../../src/domain/reconcile.js';
import { step } from '../../src/domain/step.js';
import type { Context, Effect, Event, Fleet, Policy, RolloutTarget } from '../../src/domain/types.js';
import { isWayBack } from '../../src/domain/ways.js';

export interface Process {
  id: number;
  slot: number;
  generation: number;
  /** The last thing it was told. */
  order: 'none' | 'retire' | 'kill';
  forkedAt: number;
  forked: boolean;
  helloAt: number | null;
  idle: boolean;
  open: string[];
  saidReady: boolean;
  probe: 'none' | 'asked' | 'passed';
  smoke: 'none' | 'asked' | 'passed';
  warmUp: 'none' | 'asked' | 'passed' | 'failed';
  /** It does nothing any more until it is killed. */
  hung: boolean;
}

/** One step of the core, with all that went in and came out. */
export interface Moment {
  before: Fleet;
  event: Event;
  context: Context;
  after: Fleet;
  effects: Effect[];
  ignored: string | undefined;
}

export const POLICY: Policy = {
  instances: 2,
  configuredInstances: 2,
  check: 'listening',
  readyDeadlineMs: 60_000,
  minReadyMs: 1_000,
  surge: 1,
  unavailable: 0,
  atomic: false,
  drainTimeoutMs: 30_000,
  killTimeoutMs: 5_000,
  stopTimeoutMs: 25_000,
  backoff: { initialMs: 100, factor: 2, capMs: 30_000, jitter: 0.2, resetAfterMs: 60_000 },
  maxDraining: 2,
  sticky: false,
  smoke: false,
  warmup: 'none',
  crashLoop: { count: 5, windowMs: 60_000 },
  canary: null,
  soakMs: 0,
  keepWarmMs: 0,
  limits: { memory: null, ageMs: null, requests: null },
};

/** More steps than any fleet of five workers needs to come to rest. */
const MANY_STEPS = 3_000;

export class World {
  fleet: Fleet = deepFreeze(emptyFleet());
  now = 1_000_000;
  /** What the next release is prepared with. */
  policy: Policy;
  /** What a worker that lives well listens on. */
  ports: (slot: number, generation: number) => string[] = () => ['tcp:3000'];
  readonly processes = new Map<number, Process>();
  readonly everForked = new Set<number>();
  /** Of all policies that were prepared so far. */
  largestMaxDraining = 0;
  /** There was a rollback to parked workers. */
  hasWoken = false;
  readonly effects: Effect[] = [];
  /** Every event, for the report of a failure. */
  readonly trail: string[] = [];
  /** What the active workers of each generation have had open. */
  readonly servedOn = new Map<number, Set<string>>();
  preparing: number | null = null;
  private scaled: Fleet['scaled'] = null;
  private target: RolloutTarget = { kind: 'files' };
  /** By generation, as they were prepared: the plans that the shell has. */
  private readonly policies = new Map<number, Policy>();
  readonly unchecked = new Set<number>();

  constructor(
    policy: Partial<Policy> = {},
    private readonly watch: (moment: Moment, world: World) => void = () => {},
  ) {
    this.policy = { ...POLICY, ...policy, configuredInstances: policy.instances ?? POLICY.instances };
  }

  /** Hands the core one event and performs what it decides. @returns its effects, or why it ignored the event */
  send(event: Event): { effects: Effect[]; ignored: string | undefined } {
    const before = this.fleet;
    const context = { now: this.now, random: 0.5 };
    this.trail.push(`${this.now - 1_000_000} ${JSON.stringify(event)}`);
    this.note(event);
    const { fleet, effects, ignored } = step(before, event, context);
    this.fleet = deepFreeze(fleet);
    this.watch({ before, event, context, after: fleet, effects, ignored }, this);
    for (const effect of effects) this.perform(effect);
    for (const effect of effects)
      if (effect.type === 'activate' && this.processes.get(effect.id)?.hung === false)
        this.send({ type: 'activated', id: effect.id });
    return { effects, ignored };
  }

  /** Everyone lives well and the clock runs from wake to wake, until nothing is left to happen. */
  settle(): this {
    for (let steps = 0; steps < MANY_STEPS; steps++) if (!this.goOn()) return this;
    throw new Error(`the fleet did not come to rest within ${MANY_STEPS} steps`);
  }

  /** The next thing that happens where everyone lives well; false where nothing is left. */
  goOn(): boolean {
    const event = this.answer() ?? this.nextOfAny();
    if (event) this.send(event);
    return event !== undefined || this.wake() || this.failSmokeTests() || this.findBlocked();
  }

  /** A script that gets no answer gives up at its own time-out. */
  private failSmokeTests(): boolean {
    return [...this.processes.values()]
      .filter(({ hung, smoke }) => hung && smoke === 'asked')
      .some(({ id }) => this.send({ type: 'smoke-failed', id, reason: 'timed out' }).ignored === undefined);
  }

  /** As the shell's monitor does; false where there is none, or the core does not want to hear of it now. */
  private findBlocked(): boolean {
    return [...this.processes.values()]
      .filter(({ id, hung }) => hung && this.fleet.workers[id]?.status.state === 'active')
      .some(({ id }) => this.send({ type: 'unresponsive', id }).ignored === undefined);
  }

  /** To the next instant that the core wants to be woken at. */
  wake(): boolean {
    const at = this.fleet.ended ? null : nextWakeAt(this.fleet, this.now);
    if (at === null) return false;
    this.now = at;
    this.send({ type: 'timer' });
    return true;
  }

  advance(ms: number): void {
    this.now += ms;
    this.send({ type: 'timer' });
  }

  /** All that can happen without the clock, to the workers that were told nothing. */
  boot(): this {
    for (let event = this.nextOfAny('none'); event; event = this.nextOfAny('none')) this.send(event);
    return this;
  }

  /** All that can happen without the clock, those that leave included. */
  bootAll(): this {
    for (let event = this.answer() ?? this.nextOfAny(); event; event = this.answer() ?? this.nextOfAny())
      this.send(event);
    return this;
  }

  /** What the shell owes the core. */
  answer(): Event | undefined {
    if (this.preparing !== null) return { type: 'prepared', rolloutId: this.preparing, policy: this.scaledPolicy() };
    const [generation] = this.unchecked;
    return generation === undefined ? undefined : { type: 'release-checked', generation, modified: false };
  }

  /** As the shell has it: a scale stands until the configured number is another one; what a generation has run is as it was prepared. */
  private scaledPolicy(): Policy {
    const { scaled, target } = this;
    if (target.kind === 'generation') {
      const ran = this.policies.get(target.number);
      if (!ran) throw new Error(`what generation ${target.number} has run was forgotten`);
      return ran;
    }
    const { policy } = this;
    const stands = scaled !== null && scaled.configured === policy.configuredInstances;
    return stands ? { ...policy, instances: scaled.count } : policy;
  }

  /** What this process does next where it lives well. */
  next(process: Process): Event | undefined {
    const { id, slot, generation, order } = process;
    if (order === 'kill') return { type: 'exited', id, code: null, signal: 'SIGKILL' };
    if (process.hung) return undefined;
    if (order === 'retire') return { type: 'exited', id, code: 0, signal: null };
    if (!process.forked) return { type: 'forked', id, pid: 100 + id };
    if (process.helloAt === null) return { type: 'hello', id };
    const key = this.ports(slot, generation).find((port) => !process.open.includes(port));
    if (key !== undefined) return { type: 'listening', id, key, label: key };
    if (this.fleet.generations[generation]?.policy.check === 'message' && !process.saidReady)
      return { type: 'ready-message', id };
    if (process.probe === 'asked') return { type: 'probe-passed', id };
    if (process.smoke === 'asked') return { type: 'smoke-passed', id };
    if (process.warmUp === 'asked') return { type: 'warmed-up', id, results: '/ 200 in 1 ms', failure: null };
    return process.idle ? undefined : { type: 'idle', id };
  }

  private nextOfAny(order?: Process['order']): Event | undefined {
    for (const process of this.processes.values()) {
      const event = order === undefined || process.order === order ? this.next(process) : undefined;
      if (event) return event;
    }
    return undefined;
  }

  /** What the event means for the world itself. */
  private note(event: Event): void {
    if ('rolloutId' in event && event.rolloutId === this.preparing) this.preparing = null;
    if (event.type === 'release-checked') this.unchecked.delete(event.generation);
    if (event.type === 'prepared') this.policies.set(this.fleet.nextGeneration, event.policy);
    if (event.type === 'prepared')
      this.largestMaxDraining = Math.max(this.largestMaxDraining, event.policy.maxDraining);
    const process = 'id' in event ? this.processes.get(event.id) : undefined;
    if (!process) return;
    if (event.type === 'exited') this.processes.delete(process.id);
    if (event.type === 'forked') process.forked = true;
    if (event.type === 'hello') process.helloAt = this.now;
    if (event.type === 'idle') process.idle = true;
    if (event.type === 'listening') process.open.push(event.key);
    if (this.fleet.workers[process.id]?.status.state === 'active') this.noteServed(process);
    if (event.type === 'ready-message') process.saidReady = true;
    if (event.type === 'probe-passed') process.probe = 'passed';
    if (event.type === 'warmed-up') process.warmUp = event.failure === null ? 'passed' : 'failed';
    if (event.type === 'smoke-passed' || event.type === 'smoke-failed') process.smoke = 'passed';
  }

  private perform(effect: Effect): void {
    this.effects.push(effect);
    if (effect.type === 'prepare') {
      this.preparing = effect.rolloutId;
      this.scaled = effect.scaled;
      this.target = effect.target;
    }
    if (effect.type === 'check-release') this.unchecked.add(effect.generation);
    if (effect.type === 'generation-gone')
      for (const number of this.policies.keys())
        if (!(number in this.fleet.generations) && !isWayBack(this.fleet, number)) this.policies.delete(number);
    if (effect.type === 'fork') {
      const { id, slot, generation } = effect;
      const young = {
        warmUp: 'none' as const,
        forkedAt: this.now,
        forked: false,
        helloAt: null,
        idle: false,
        open: [],
        saidReady: false,
        hung: false,
      };
      this.everForked.add(id);
      this.processes.set(id, { id, slot, generation, order: 'none', probe: 'none', smoke: 'none', ...young });
    }
    if (effect.type === 'probe') this.process(effect.id).probe = 'asked';
    if (effect.type === 'warm-up') this.process(effect.id).warmUp = 'asked';
    if (effect.type === 'smoke') this.process(effect.id).smoke = 'asked';
    if (effect.type === 'retire') this.process(effect.id).order = 'retire';
    if (effect.type === 'kill') this.process(effect.id).order = 'kill';
    if (effect.type === 'activate') this.activate(this.process(effect.id));
  }

  private activate(process: Process): void {
    if (process.order !== 'none') throw new Error(`worker ${process.id} was told to ${process.order}, then activated`);
    this.noteServed(process);
  }

  private noteServed({ generation, open }: Process): void {
    this.servedOn.set(generation, new Set([...(this.servedOn.get(generation) ?? []), ...open]));
  }

  /** @throws where it is not alive: the core steers only what runs */
  private process(id: number): Process {
    const process = this.processes.get(id);
    if (!process) throw new Error(`an effect concerns worker ${id}, which is not alive`);
    return process;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
