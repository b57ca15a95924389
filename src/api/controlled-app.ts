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

  async status({ signal }: WaitOptions = {}): Promise<AppSnapshot> {
    const { app } = await this.ask('status', { command: 'status' }, { answerWithinMs: ANSWER_TIMEOUT_MS, signal });
    return { ...app, name: this.name };
  }

  async *watch({ signal, onProgress }: WatchOptions = {}): AsyncGenerator<AppSnapshot, void, void> {
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

  async describe({ signal }: WaitOptions = {}): Promise<AppDescription> {
    const { app } = await this.ask('describe', { command: 'describe' }, { answerWithinMs: DESCRIBE_WITHIN_MS, signal });
    return { ...app, name: this.name };
  }

  async reload(options: ReloadOptions = {}): Promise<RolloutResult> {
    const { weight, canary = true, allowListeners = false, wait = true } = options;
    if (weight !== undefined && (!WEIGHT.test(String(weight)) || weight < 1 || weight > 99))
      throw usage(`reload: ${weight} is no weight`, 'a whole number of percent from 1 to 99');
    return this.rollOut({ command: 'reload', weight, noCanary: !canary, allowListeners, noWait: !wait }, options);
  }

  restart(options: RolloutOptions = {}): Promise<RolloutResult> {
    const { allowListeners = false, wait = true } = options;
    return this.rollOut({ command: 'restart', allowListeners, noWait: !wait }, options);
  }

  async canary(weight: number, options: WorkOptions = {}): Promise<RolloutResult> {
    if (!WEIGHT.test(String(weight)))
      throw usage(`canary: ${weight} is no weight`, 'a whole number of percent from 0 to 100');
    return this.rollOut({ command: 'canary', weight }, options);
  }

  promote(options: PromoteOptions = {}): Promise<RolloutResult> {
    return this.rollOut({ command: 'promote', full: options.full === true }, options);
  }

  pause(options: WorkOptions = {}): Promise<RolloutResult> {
    return this.rollOut({ command: 'pause' }, options);
  }

  abort(options: WorkOptions = {}): Promise<RolloutResult> {
    return this.rollOut({ command: 'abort' }, options);
  }

  rollback(options: RollbackOptions = {}): Promise<RolloutResult> {
    return this.rollOut({ command: 'rollback', to: options.to }, options);
  }

  async scale(to: number | `+${number}` | `-${number}`, options: WorkOptions = {}): Promise<ScaleResult> {
    if (!SCALE_TO.test(String(to)))
      throw usage(`scale: ${to} is no number of workers`, "how many, or by how many: 4, '+1', '-2'");
    return told(await this.work('scale', { command: 'scale', to: String(to) }, options));
  }

  async recycle(slot: number, options: RecycleOptions = {}): Promise<RecycleResult> {
    if (!Number.isInteger(slot) || slot < 0) throw usage(`recycle: ${slot} is no slot`, 'a whole number from 0');
    return told(await this.work('recycle', { command: 'recycle', slot, noWait: options.wait === false }, options));
  }

  async stop(options: WorkOptions = {}): Promise<StopResult> {
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

const usage = (message: string, hint: string): ZdsupError =>
  new ZdsupError({ code: 'ZDSUP_USAGE', message, hint, exitStatus: 2 });
