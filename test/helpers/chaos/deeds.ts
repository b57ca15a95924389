/**
 * What is done to an app under chaos, at random: faults, and the commands of an operator in between. Each command's
 * answer is judged: a refusal is fine, a failure needs a fault of ours that explains it.
 */
import type { ControlRequest, ControlResult } from '../../../src/shared/control-protocol.js';
import { killOwn } from '../cleanup.js';
import type { Random } from './random.js';
import type { Scene } from './scene.js';
import { BAD, GOOD, INSTANCES } from './scene.js';

/** A worker stands still so long at most; what it has in flight must fit into the rest of its drain, in ms. */
const LONGEST_STOP_MS = 4_000;
/** A command that is not answered by then hangs: longer than all deadlines of a rollout and of two drains, in ms. */
const COMMAND_WITHIN_MS = 120_000;
const MOST_WORKERS = 4;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** To a worker, and when. */
interface Fault {
  at: number;
  signal: 'SIGKILL' | 'SIGSTOP';
}

export class Deeds {
  /** One line each, with the instant. */
  readonly story: string[] = [];
  /** Answers that nothing explains. */
  readonly wrong: string[] = [];
  readonly counts: Record<string, number> = {};
  /** By pid. */
  readonly killed = new Map<number, number>();
  /** For ever: the master ends them. By pid. */
  readonly leftStopped = new Map<number, number>();
  /** So many workers are wanted. */
  scaled = INSTANCES;
  private readonly faults = new Map<number, Fault>();
  private readonly underWay = new Set<Promise<void>>();
  private readonly toldApart = new Set<string>();

  constructor(
    private readonly scene: Scene,
    private readonly random: Random,
  ) {}

  async doFor(ms: number): Promise<void> {
    const until = Date.now() + ms;
    while (Date.now() < until) {
      await this.one();
      await pause(this.random.between(50, 1_200));
    }
    await Promise.all(this.underWay);
  }

  private async one(): Promise<void> {
    const die = this.random.next();
    if (die < 0.25) await this.kill();
    else if (die < 0.4) await this.standStill(this.random.between(50, LONGEST_STOP_MS));
    else if (die < 0.42) await this.standStill(null);
    else if (die < 0.6) this.command('reload', { command: 'reload' }, this.random.pick(GOOD));
    else if (die < 0.75) this.command('reload', { command: 'reload' }, this.random.pick(BAD));
    else if (die < 0.85) this.command('scale', { command: 'scale', to: String(this.random.between(1, MOST_WORKERS)) });
    else if (die < 0.9) this.command('restart', { command: 'restart' });
    else if (die < 0.97) this.hangUp();
    else this.check();
  }

  private note(what: string, more = ''): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    this.tell(`${what} ${more}`);
  }

  private tell(line: string): void {
    this.story.push(`${new Date().toISOString()} ${line}`);
  }

  /** A worker in any state that no fault has come upon. */
  private async victim(): Promise<{ pid: number; what: string } | null> {
    const { workers } = await this.scene.snapshot();
    const whole = workers.filter(({ pid }) => pid !== null && !this.faults.has(pid) && this.scene.isLeft(pid));
    if (whole.length === 0) return null;
    // Mostly of those that serve: rollouts shall come to their end as well.
    const serving = whole.filter(({ state }) => state === 'active');
    const from = serving.length > 0 && this.random.next() < 0.6 ? serving : whole;
    const { pid, slot, generation, state } = this.random.pick(from);
    return { pid: pid!, what: `${pid}, slot ${slot} of generation ${generation}, ${state}` };
  }

  private async kill(): Promise<void> {
    const victim = await this.victim();
    if (!victim) return;
    const at = Date.now();
    killOwn(victim.pid, 'SIGKILL');
    this.killed.set(victim.pid, at);
    this.faults.set(victim.pid, { at, signal: 'SIGKILL' });
    this.note('kill', victim.what);
  }

  /** @param ms null: for ever */
  private async standStill(ms: number | null): Promise<void> {
    const victim = await this.victim();
    if (!victim) return;
    const { pid, what } = victim;
    killOwn(pid, 'SIGSTOP');
    this.faults.set(pid, { at: Date.now(), signal: 'SIGSTOP' });
    this.note(ms === null ? 'stop for ever' : 'stop', ms === null ? what : `${what}, ${ms} ms`);
    if (ms === null) this.leftStopped.set(pid, Date.now());
    else this.track(pause(ms).then(() => this.scene.isLeft(pid) && killOwn(pid, 'SIGCONT')));
  }

  private hangUp(): void {
    this.note('HUP', `current is ${this.scene.linked}`);
    this.scene.master.signal('SIGHUP');
  }

  /** @param release `current` is moved there first; then nothing else moves it until the answer is there */
  private command(name: 'reload' | 'restart' | 'scale', request: ControlRequest, release?: string): void {
    const isRollout = name !== 'scale';
    if (this.toldApart.has(isRollout ? 'rollout' : name)) return;
    this.toldApart.add(isRollout ? 'rollout' : name);
    if (release !== undefined) this.scene.link(release);
    const { linked } = this.scene;
    const what = `${name} ${'to' in request ? request.to : linked}`;
    const startedAt = Date.now();
    this.note(`${name}${isRollout && !isGood(linked) ? ' (bad)' : ''}`, what);
    this.track(
      inTime(this.scene.ask(request))
        .then(
          (result) => this.judge(result, what, isRollout && !isGood(linked), startedAt),
          (error: Error) => this.blame(`${what}: ${error.message}`),
        )
        .finally(() => this.toldApart.delete(isRollout ? 'rollout' : name)),
    );
  }

  private judge(result: ControlResult, what: string, isBad: boolean, startedAt: number): void {
    const ms = Date.now() - startedAt;
    if (result.ok) {
      this.tell(`  ${what}: done in ${ms} ms`);
      if (result.command === 'scale') this.scaled = result.workers;
      if (isBad) this.blame(`${what}: a bad release was let in: ${JSON.stringify(result)}`);
      return;
    }
    const { error, exitStatus } = result;
    this.tell(`  ${what}: exit ${exitStatus} in ${ms} ms: ${error.code} ${error.message}`);
    if (exitStatus === 4 || isBad) return;
    if (exitStatus !== 1 || !this.isExplained(error.code, error.message)) this.blame(`${what}: ${error.message}`);
  }

  /** By a fault that came upon a worker of the generation that the message names; or, of a refusal, upon any lately. */
  private isExplained(code: string, message: string): boolean {
    if (code === 'ZDSUP_SCALE_REFUSED') return [...this.faults.values()].some(({ at }) => Date.now() - at < 60_000);
    const generation = Number(/generation (\d+)/.exec(message)?.[1]);
    return [...this.faults.keys()].some((pid) => this.scene.generationOf(pid) === generation);
  }

  private check(): void {
    if (this.toldApart.has('check')) return;
    this.toldApart.add('check');
    const { linked, moves } = this.scene;
    this.note('check', linked);
    this.track(
      inTime(this.scene.master.run('check'))
        .then(
          ({ code, stderr }) => {
            this.tell(`  check ${linked}: exit ${code}`);
            if (this.scene.moves === moves && code !== (isGood(linked) ? 0 : 1))
              this.blame(`check ${linked}: exit ${code}: ${stderr}`);
          },
          (error: Error) => this.blame(`check: ${error.message}`),
        )
        .finally(() => this.toldApart.delete('check')),
    );
  }

  private blame(line: string): void {
    this.tell(`  WRONG ${line}`);
    this.wrong.push(line);
  }

  private track(work: Promise<unknown>): void {
    const tracked: Promise<void> = work.then(() => void this.underWay.delete(tracked));
    this.underWay.add(tracked);
  }
}

const isGood = (release: string): boolean => (GOOD as readonly string[]).includes(release);

function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${COMMAND_WITHIN_MS} ms`)), COMMAND_WITHIN_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
