/** Runs in a program that uses the API. One app, steered over its master's control socket; keeps no connection and no state. */
import { gone } from '../client/apps.js';
import type { AskOptions } from '../client/control-client.js';
import { ask, askAlive, DESCRIBE_WITHIN_MS, NobodyThere } from '../client/control-client.js';
import { watch } from '../client/watch.js';
import type { ControlRequest, ControlResult, Progress } from '../shared/control-protocol.js';
import { ANSWER_TIMEOUT_MS, SCALE_TO, WEIGHT } from '../shared/control-protocol.js';
import type { AppDescription } from '../shared/description.js';
import { ZdsupError } from '../shared/errors.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import { Latest } from './latest.js';
import { refuseOptions, shown, usage } from './options.js';
import type {
  App,
  PromoteOptions,
  RecycleOptions,
  RecycleResult,
  ReloadOptions,
  RollbackOptions,
  RolloutOptions,
  RolloutResult,
  ScaleResult,
  StopResult,
  WaitOptions,
  WatchOptions,
  WorkOptions,
} from './types.js';

/** As long as a description may take: a busy host makes it late. */
const FIRST_SAMPLE_WITHIN_MS = DESCRIBE_WITHIN_MS;

type Done = Extract<ControlResult, { ok: true }>;
type DoneOf<C extends Done['command']> = Extract<Done, { command: C }>;
type Rollout = 'reload' | 'restart' | 'rollback' | 'canary' | 'pause' | 'promote' | 'abort';

export class ControlledApp implements App {
  constructor(
    readonly name: string,
    private readonly socketPath: string,
  ) {}

  async status(options: WaitOptions = {}): Promise<AppSnapshot> {
    refuseOptions('status', options);
    const { signal } = options;
    const { app } = await this.ask('status', { command: 'status' }, { answerWithinMs: ANSWER_TIMEOUT_MS, signal });
    return { ...app, name: this.name };
  }

  async *watch(watched: WatchOptions = {}): AsyncGenerator<AppSnapshot, void, void> {
    refuseOptions('watch', watched);
    const { signal, onProgress } = watched;
    const latest = new Latest<AppSnapshot>();
    const left = new AbortController(); // The loop was left, or the caller's function has thrown.
    const hangUp = signal ? AbortSignal.any([signal, left.signal]) : left.signal;
    const progress = guarded(onProgress, (error) => {
      latest.fail(error);
      left.abort();
    });
    const options = { onProgress: progress, signal: hangUp, answerWithinMs: FIRST_SAMPLE_WITHIN_MS };
    this.reach(() => watch(this.socketPath, (app) => latest.put({ ...app, name: this.name }), options)).then(
      (result) => (result === null || result.ok ? latest.end() : latest.fail(new ZdsupError(result.error))),
      (error: unknown) => latest.fail(error),
    );
    try {
      yield* latest;
    } finally {
      left.abort();
    }
  }

  async describe(options: WaitOptions = {}): Promise<AppDescription> {
    refuseOptions('describe', options);
    const { signal } = options;
    const { app } = await this.ask('describe', { command: 'describe' }, { answerWithinMs: DESCRIBE_WITHIN_MS, signal });
    return { ...app, name: this.name };
  }

  async reload(options: ReloadOptions = {}): Promise<RolloutResult> {
    refuseOptions('reload', options);
    const { weight, canary = true, allowListeners = false, wait = true } = options;
    return this.rollOut({ command: 'reload', weight, noCanary: !canary, allowListeners, noWait: !wait }, options);
  }

  async restart(options: RolloutOptions = {}): Promise<RolloutResult> {
    refuseOptions('restart', options);
    const { allowListeners = false, wait = true } = options;
    return this.rollOut({ command: 'restart', allowListeners, noWait: !wait }, options);
  }

  async canary(weight: number, options: WorkOptions = {}): Promise<RolloutResult> {
    if (typeof weight !== 'number' || !WEIGHT.test(String(weight)))
      throw usage(`canary: ${shown(weight)} is no weight`, 'a whole number of percent from 0 to 100');
    refuseOptions('canary', options);
    return this.rollOut({ command: 'canary', weight }, options);
  }

  async promote(options: PromoteOptions = {}): Promise<RolloutResult> {
    refuseOptions('promote', options);
    return this.rollOut({ command: 'promote', full: options.full === true }, options);
  }

  async pause(options: WorkOptions = {}): Promise<RolloutResult> {
    refuseOptions('pause', options);
    return this.rollOut({ command: 'pause' }, options);
  }

  async abort(options: WorkOptions = {}): Promise<RolloutResult> {
    refuseOptions('abort', options);
    return this.rollOut({ command: 'abort' }, options);
  }

  async rollback(options: RollbackOptions = {}): Promise<RolloutResult> {
    refuseOptions('rollback', options);
    return this.rollOut({ command: 'rollback', to: options.to }, options);
  }

  async scale(to: number | `+${number}` | `-${number}`, options: WorkOptions = {}): Promise<ScaleResult> {
    if (!['number', 'string'].includes(typeof to) || !SCALE_TO.test(String(to)))
      throw usage(`scale: ${shown(to)} is no number of workers`, "how many, or by how many: 4, '+1', '-2'");
    refuseOptions('scale', options);
    return told(await this.work('scale', { command: 'scale', to: String(to) }, options));
  }

  async recycle(slot: number, options: RecycleOptions = {}): Promise<RecycleResult> {
    if (!Number.isInteger(slot) || slot < 0) throw usage(`recycle: ${shown(slot)} is no slot`, 'a whole number from 0');
    refuseOptions('recycle', options);
    return told(await this.work('recycle', { command: 'recycle', slot, noWait: options.wait === false }, options));
  }

  async stop(options: WorkOptions = {}): Promise<StopResult> {
    refuseOptions('stop', options);
    return told(await this.work('stop', { command: 'stop' }, options));
  }

  private async rollOut(
    request: Extract<ControlRequest, { command: Rollout }>,
    options: WorkOptions,
  ): Promise<RolloutResult> {
    return told(await this.work(request.command, request, options));
  }

  /** Long work. A master that does not answer would carry it out much later: it is asked whether it is there first. */
  private async work<C extends Done['command']>(
    command: C,
    request: ControlRequest,
    { signal, onProgress }: WorkOptions,
  ): Promise<DoneOf<C>> {
    signal?.throwIfAborted();
    await this.reach(() => askAlive(this.socketPath));
    const broken = new AbortController();
    const progress = guarded(onProgress, (error) => broken.abort(error));
    const hangUp = signal ? AbortSignal.any([signal, broken.signal]) : broken.signal;
    return this.ask(command, request, { onProgress: progress, signal: hangUp });
  }

  private async ask<C extends Done['command']>(
    command: C,
    request: ControlRequest,
    options: AskOptions,
  ): Promise<DoneOf<C>> {
    const result = await this.reach(() => ask(this.socketPath, request, options));
    if (!result.ok) throw new ZdsupError(result.error, result.stderr);
    if (result.command === command) return result as DoneOf<C>;
    throw new ZdsupError({
      code: 'ZDSUP_CONTROL_PROTOCOL',
      message: `the master of ${this.name} answered something else: ${result.command}`,
      hint: 'use the zdsup of the same version as the master',
      exitStatus: 1,
    });
  }

  private async reach<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw error instanceof NobodyThere ? gone(this.name) : error;
    }
  }
}

/** It is called from within a socket's event, where what it throws would end the process. */
const guarded =
  (onProgress: ((step: Progress) => void) | undefined, failed: (error: unknown) => void) =>
  (step: Progress): void => {
    try {
      onProgress?.(step);
    } catch (error) {
      failed(error);
    }
  };

/** Without what only the wire needs. */
function told<T extends Done>({
  type: _,
  ok: __,
  exitStatus: ___,
  command: ____,
  ...rest
}: T): Omit<T, 'type' | 'ok' | 'exitStatus' | 'command'> {
  return rest;
}
