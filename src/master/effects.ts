/**
 * Runs in the master. Performs what the core has decided; the one file that does. Owns the worker processes, what is
 * asked of them and, in plans.ts, what they run. What comes of an effect returns as an event.
 */
import { heldKeys } from '../domain/fleet.js';
import { nameOf, where } from '../domain/names.js';
import type { Effect, Event, Fleet, RecycleCause, ReleaseRef, Rollout } from '../domain/types.js';
import type { WarmUpAnswer } from '../shared/check-report.js';
import type { HttpCheck } from '../shared/config.js';
import type { Progress, ProgressKind } from '../shared/control-protocol.js';
import { DEFAULT_ANALYSIS } from '../shared/default-analysis.js';
import type { ErrorReport } from '../shared/errors.js';
import type { HttpTarget } from './ask-worker.js';
import type { FiguresKeeper } from './figures/keeper.js';
import type { QueueDelay } from './figures/own.js';
import { FiguresSwitch } from './figures-switch.js';
import type { P99s, VerdictNews } from './judge.js';
import { Judge } from './judge.js';
import type { KeptOutput } from './kept-output.js';
import { LastWords } from './last-words.js';
import { laterStart } from './later-start.js';
import type { Listeners } from './listeners.js';
import type { Logger } from './log.js';
import type { Plan } from './plan.js';
import { Plans } from './plans.js';
import type { Probe } from './probe.js';
import { startProbe } from './probe.js';
import type { SmokeTest } from './smoke-test.js';
import { Traffic } from './traffic.js';
import type { OutputMode } from './worker-output.js';
import { WorkerProcess } from './worker-process.js';

export interface EffectsOptions {
  appName: string;
  listeners: Listeners;
  logger: Logger;
  output: OutputMode;
  /** @default none is */
  kept?: KeptOutput;
  /** Folder of the app's releases. @default it has none */
  store?: string;
  /** Reads the config afresh and resolves the release. */
  makePlan(scaled: Fleet['scaled'], release: ReleaseRef | undefined): Promise<Plan>;
  post(event: Event): void;
  /** Of events, from `post` on. @default nobody measures it */
  queue?: QueueDelay;
  /** The last effect of all. */
  ended(failed: boolean): void;
}

/** How a rollout ended, with what the shell knows of it. */
export interface RolloutEnd {
  rollout: Rollout;
  /** Where it could not even be prepared. */
  error: ErrorReport | null;
  /** What zdsup knows of why it failed, beside what the app says; else left out. */
  hint?: string;
  stderr: string[];
}

/** How a scale ended: `reason` says why it was taken back, null where it holds. */
export interface ScaleEnd {
  id: number;
  reason: string | null;
  stderr: string[];
}

/** How the recycling of one worker ended: `reason` says why it was given up, null where its successor serves. */
export interface RecycleEnd {
  generation: number;
  slot: number;
  cause: RecycleCause;
  reason: string | null;
  stderr: string[];
}

/** A worker has ended, of itself or not. */
export interface WorkerExit {
  id: number;
  slot: number;
  generation: number;
  pid: number | null;
  code: number | null;
  signal: string | null;
  error?: string | undefined;
  stderr: string[];
}

export interface Observer {
  progress?(progress: Progress): void;
  rolloutBegun?(rollout: Rollout): void;
  verdict?(news: VerdictNews): void;
  rolloutEnded?(end: RolloutEnd): void;
  /** It has come to the weight that was asked for. */
  held?(rollout: Rollout): void;
  /** A stop has come upon a hold. @param message what a later start runs */
  holdStopped?(message: string): void;
  /** A stop has come upon its time on trial. */
  soakStopped?(generation: number): void;
  scaleEnded?(end: ScaleEnd): void;
  recycleEnded?(end: RecycleEnd): void;
  generationGone?(generation: number): void;
  workerExited?(exit: WorkerExit): void;
  /** It has come through its time on trial, or had none. @param leavesLoop it was gone back to from one that crash-loops */
  proven?(generation: number, leavesLoop: boolean): void;
  /** One path of a worker's warm-up. */
  warmUpAsked?(answer: WarmUpAnswer): void;
}

const LEVELS: Partial<Record<ProgressKind, 'warn' | 'error'>> = {
  'worker-exited': 'warn',
  unresponsive: 'warn',
  'recycle-failed': 'warn',
  'recycling-paused': 'warn',
  'crash-looping': 'error',
  warning: 'warn',
  failed: 'error',
};

export class Effects {
  readonly workers = new Map<number, WorkerProcess>();
  readonly plans: Plans;
  readonly observers = new Set<Observer>();
  /** What the app and its workers measure of themselves. */
  readonly figures: FiguresSwitch;
  private readonly lastWords = new LastWords();
  private readonly smokeWords = new Map<number, string[]>();
  private readonly probes = new Map<number, Probe>();
  private readonly smokeTests = new Map<number, SmokeTest>();
  private readonly warmUps = new Map<number, AbortController>();

  /** Workers that have ended unasked. */
  private crashes = 0;
  /** Of the rollout under way. */
  private hint: string | null = null;

  private readonly traffic: Traffic;
  private readonly judge: Judge;

  constructor(private readonly options: EffectsOptions) {
    const { appName, store, makePlan, post } = options;
    const warn = (message: string): void => this.warn(message);
    this.plans = new Plans({ appName, store, makePlan, warn, post });
    this.figures = new FiguresSwitch(() => this.makeKeeper());
    this.traffic = new Traffic(options.listeners, warn);
    this.judge = new Judge(
      (generation) => this.plans.get(generation)?.config.canary?.analysis ?? DEFAULT_ANALYSIS,
      (news) => {
        for (const observer of this.observers) observer.verdict?.(news);
        const { rolloutId, verdict: kind, reason } = news;
        post({ type: 'verdict', rolloutId, verdict: { kind, reason } });
      },
    );
  }

  perform = (effect: Effect, fleet: Fleet): void => {
    switch (effect.type) {
      case 'prepare':
        void this.plans.prepare(effect, fleet);
        return;
      case 'fork':
        this.plans.adopt(effect.generation, fleet);
        this.fork(effect);
        return;
      case 'probe':
        this.probe(effect.id, fleet);
        return;
      case 'smoke':
        void this.smoke(effect.id, fleet);
        return;
      case 'warm-up':
        void this.warmUp(effect.id, fleet);
        return;
      case 'activate':
        this.warmUps.get(effect.id)?.abort();
        this.activate(effect.id);
        return;
      case 'park':
        this.traffic.leave(effect.id);
        this.workers.get(effect.id)?.park();
        return;
      case 'retire':
        this.stopChecks(effect.id);
        this.traffic.leave(effect.id);
        this.workers.get(effect.id)?.retire(effect.deadlineMs, effect.closeIdle);
        return;
      case 'kill':
        this.stopChecks(effect.id);
        this.workers.get(effect.id)?.kill();
        return;
      case 'check-release':
        void this.checkRelease(effect.generation);
        return;
      case 'rollout-begun':
        for (const observer of this.observers) observer.rolloutBegun?.(effect.rollout);
        return;
      case 'judge':
        this.judge.set(effect.judging);
        return;
      case 'good':
        for (const observer of this.observers) observer.proven?.(effect.generation, effect.leavesLoop);
        return;
      case 'route':
        this.traffic.route(effect.routing);
        return;
      case 'progress':
        this.tell(effect);
        return;
      case 'rollout-ended':
        this.endRollout(effect.rollout);
        return;
      case 'held':
        for (const observer of this.observers) observer.held?.(effect.rollout);
        return;
      case 'hold-stopped': {
        const { from, to } = effect.rollout;
        const message = laterStart(effect.rollout, this.plans.get(to ?? -1), this.plans.get(from ?? -1));
        this.options.logger.warn({ kind: 'warning', generation: to }, message);
        for (const observer of this.observers) observer.holdStopped?.(message);
        return;
      }
      case 'soak-stopped':
        for (const observer of this.observers) observer.soakStopped?.(effect.generation);
        return;
      case 'scale-ended': {
        const { id, reason, culprit } = effect;
        const stderr = (culprit === null ? undefined : this.lastWords.of(culprit)) ?? [];
        for (const observer of this.observers) observer.scaleEnded?.({ id, reason, stderr });
        return;
      }
      case 'recycle-ended': {
        const { generation, slot, cause, reason, culprit } = effect;
        const stderr = (culprit === null ? undefined : this.lastWords.of(culprit)) ?? [];
        for (const observer of this.observers) observer.recycleEnded?.({ generation, slot, cause, reason, stderr });
        return;
      }
      case 'generation-gone':
        this.plans.forget(fleet);
        for (const observer of this.observers) observer.generationGone?.(effect.generation);
        return;
      case 'close-listeners':
        if (fleet.stop) {
          this.traffic.stop();
          this.options.listeners.closeForGood();
        } else this.options.listeners.closeAllBut(heldKeys(fleet));
        return;
      case 'end':
        this.options.ended(effect.failed);
        return;
    }
  };

  /** As far as it was observed. */
  p99s(rolloutId: number): P99s {
    return this.judge.p99s(rolloutId);
  }

  /** Looks whether the generation's directory is still what it was; the answer comes as an event. Never rejects. */
  async checkRelease(generation: number): Promise<void> {
    const modified = await this.plans.isModified(generation);
    if (modified !== undefined) this.options.post({ type: 'release-checked', generation, modified });
  }

  /** An exit reaches the core only when this has noted the worker's last words. */
  private readonly postFromWorker = (event: Event): void => {
    if (event.type === 'exited') {
      this.stopChecks(event.id);
      this.noteExit(event);
      this.workers.delete(event.id);
    }
    this.options.post(event);
  };

  private noteExit({ id, code, signal, error }: Extract<Event, { type: 'exited' }>): void {
    const worker = this.workers.get(id);
    const stderr = worker?.lastLines() ?? [];
    this.lastWords.note(id, stderr);
    if (!worker) return;
    if (!worker.isSentAway) {
      this.crashes += 1;
      this.judge.crashed(id);
    }
    this.judge.workerGone(id);
    const { slot, generation } = worker.identity;
    for (const observer of this.observers)
      observer.workerExited?.({ id, slot, generation, pid: worker.pid, code, signal, error, stderr });
  }

  private async makeKeeper(): Promise<FiguresKeeper> {
    const { FiguresKeeper } = await import('./figures/keeper.js');
    const { workers, options } = this;
    return new FiguresKeeper({
      workers,
      releaseOf: (generation) => this.plans.get(generation)?.release.id ?? '',
      crashes: () => this.crashes,
      queue: options.queue ?? { measure() {}, takeLongestMs: () => 0 },
    });
  }

  private fork({ id, slot, generation }: { id: number; slot: number; generation: number }): void {
    const { appName, listeners, output, kept = null, post } = this.options;
    try {
      const identity = { id, slot, generation, appName };
      this.workers.set(
        id,
        new WorkerProcess(
          identity,
          this.plans.get(generation)!,
          listeners,
          this.traffic,
          output,
          kept,
          this.postFromWorker,
        ),
      );
    } catch (error) {
      post({ type: 'exited', id, code: null, signal: null, error: `could not be forked: ${(error as Error).message}` });
    }
  }

  private activate(id: number): void {
    const worker = this.workers.get(id);
    if (!worker) return;
    this.figures.keeper?.joined(worker);
    worker.activate();
    this.traffic.join(worker);
    this.judge.workerJoined(worker);
  }

  private probe(id: number, fleet: Fleet): void {
    const worker = this.workers.get(id);
    const plan = this.plans.get(fleet.workers[id]?.generation ?? -1);
    if (!worker || !plan) return;
    const { ready } = plan.config;
    const { check } = ready;
    if (typeof check === 'string') return;
    this.probes.set(
      id,
      startProbe(() => this.probeTarget(worker, check), ready, {
        passed: () => this.options.post({ type: 'probe-passed', id }),
        failed: (reason) => this.options.post({ type: 'probe-failed', id, reason }),
      }),
    );
  }

  private probeTarget(worker: WorkerProcess, check: HttpCheck): HttpTarget | string {
    const { path, host = 'localhost', port } = check;
    const target = this.options.listeners.find(worker.openKeys(), port);
    if (!target) return port === undefined ? 'the app has no listener' : `the app has no listener on port ${port}`;
    const secure = target.protocol === 'https' || target.protocol === 'tls';
    const protocol = check.protocol ?? (secure ? 'https' : 'http');
    return { protocol, path, host, deliver: (socket) => worker.deliver(target.key, socket) };
  }

  private async smoke(id: number, fleet: Fleet): Promise<void> {
    const worker = this.workers.get(id);
    const plan = this.plans.get(fleet.workers[id]?.generation ?? -1);
    if (!worker || !plan?.config.smoke) return;
    // Loaded here: most apps have none.
    const loaded = await import('./smoke-test.js').catch((error: Error) => error);
    if (!this.workers.has(id)) return;
    if (loaded instanceof Error) {
      this.options.post({ type: 'smoke-failed', id, reason: `zdsup itself cannot be read: ${loaded.message}` });
      return;
    }
    const target = this.options.listeners.find(worker.openKeys(), undefined);
    const test = loaded.startSmokeTest(plan, plan.config.smoke, target && { ...target, worker });
    this.smokeTests.set(id, test);
    const failure = await test.ended;
    this.smokeTests.delete(id);
    if (failure === null) this.options.post({ type: 'smoke-passed', id });
    else {
      this.smokeWords.set(id, failure.lines);
      this.options.post({ type: 'smoke-failed', id, reason: failure.reason });
    }
  }

  private async warmUp(id: number, fleet: Fleet): Promise<void> {
    const process = this.workers.get(id);
    const worker = fleet.workers[id];
    const config = worker && this.plans.get(worker.generation)?.config.warmup;
    if (!process || !config) return;
    const stop = new AbortController();
    this.warmUps.set(id, stop);
    const asked = (answer: WarmUpAnswer): void => {
      for (const observer of this.observers) observer.warmUpAsked?.(answer);
      if (answer.failure === null || config.required) return; // Of one that must not fail, the core says so.
      const message = `${nameOf(worker)}: of its warm-up, ${answer.failure}`;
      this.tell({ type: 'progress', kind: 'warning', message, ...where(worker) });
    };
    const findTarget = (path: string): HttpTarget | string => this.probeTarget(process, { ...config, path });
    // Loaded here: most apps have none.
    const end = await import('./warm-up.js').then(
      ({ warmUp }) => warmUp(config, findTarget, asked, stop.signal),
      (error: Error) => {
        const failure = `zdsup itself cannot be read: ${error.message}`;
        return { results: failure, failure };
      },
    );
    this.warmUps.delete(id);
    if (end && !stop.signal.aborted) this.options.post({ type: 'warmed-up', id, ...end });
  }

  private stopChecks(id: number): void {
    this.probes.get(id)?.stop();
    this.probes.delete(id);
    this.smokeTests.get(id)?.stop();
    this.warmUps.get(id)?.abort();
  }

  /** In the log, and told to all who follow: a command under way shows it. */
  warn(message: string): void {
    this.tell({ type: 'progress', kind: 'warning', message });
  }

  /** What is in the way of the rollout under way: a warning, and should it fail, its hint. */
  blame(message: string, hint: string): void {
    if (this.hint === hint) return; // All of its workers meet it.
    this.hint = hint;
    this.warn(message);
  }

  private tell(effect: Extract<Effect, { type: 'progress' }>): void {
    const { type, message, ...fields } = effect;
    const level = LEVELS[effect.kind] ?? 'info';
    this.options.logger[level](fields, message);
    const progress: Progress = { type, at: new Date().toISOString(), message, ...fields };
    for (const observer of this.observers) observer.progress?.(progress);
  }

  private endRollout(rollout: Rollout): void {
    const error = this.plans.rolloutEnded(rollout.id);
    const { culprit } = rollout;
    const stderr = (culprit === null ? undefined : (this.smokeWords.get(culprit) ?? this.lastWords.of(culprit))) ?? [];
    this.lastWords.clear();
    this.smokeWords.clear();
    const hint = rollout.outcome === 'failed' ? this.hint : null;
    this.hint = null;
    const end = { rollout, error, stderr, ...(hint === null ? {} : { hint }) };
    for (const observer of this.observers) observer.rolloutEnded?.(end);
  }
}
