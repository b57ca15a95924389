/**
 * Runs in the master. Has the workers of both generations told what comes of their requests while a rollout is judged, adds it up by generation and asks the
 * pure core for the verdict. Owns the figures of the rollout under way; decides nothing, and reads no config.
 */

import type { Judging } from '../domain/types.js';
import { add, EMPTY, quantile } from '../domain/verdict/histogram.js';
import { beginJudging, beginSoak, judge, NOTHING } from '../domain/verdict/judge.js';
import type { Observed, Verdict, VerdictSettings, VerdictState } from '../domain/verdict/types.js';
import type { ObservedDelta } from '../shared/messages.cjs';

/** As often as the workers tell, half way between two of their instants. In ms. */
const EVERY_MS = 500;
const OFFSET_MS = 250;
/** A reason that changes only in its figures is told this often at most; a bad verdict at once. In ms. */
const TELL_MS = 1_000;

/** A worker process, as far as it is observed. */
export interface ObservedWorker {
  id: number;
  generation: number;
  observe(observer: ((delta: ObservedDelta) => void) | null, loop: boolean): void;
}

export interface VerdictNews {
  rolloutId: number;
  verdict: Verdict;
  reason: string;
}

/** Of the rollout that was observed last; null where nobody asked for anything. In ms. */
export interface P99s {
  /** Of the serving generation, while the new one booted. */
  beforeMs: number | null;
  /** Of both, from then on. */
  duringMs: number | null;
}

export class Judge {
  private readonly workers = new Map<number, ObservedWorker>();
  private judging: Judging | null = null;
  /** Whose figures these are, also once it has ended. */
  private observedId: number | null = null;
  private state: VerdictState = beginJudging();
  /** By generation, since the last look. */
  private gathered = new Map<number, Observed>();
  private before = EMPTY;
  private during = EMPTY;
  private timer: NodeJS.Timeout | null = null;
  private told: { verdict: Verdict; reason: string; at: number } | null = null;

  /**
   * @param settingsOf of the generation that is judged: a new config judges the release that it came with
   * @param post whenever verdict or reason has changed
   */
  constructor(
    private readonly settingsOf: (generation: number) => VerdictSettings,
    private readonly post: (news: VerdictNews) => void,
  ) {}

  /** Begins, changes or ends (null) the judging. */
  set(judging: Judging | null): void {
    const last = this.judging;
    if (judging === null || last?.rolloutId !== judging.rolloutId) this.beginAnew(judging !== null);
    else if (last.phase !== judging.phase) this.changePhase(last, judging);
    this.judging = judging;
    if (judging !== null) this.observedId = judging.rolloutId;
    for (const worker of this.workers.values()) this.attend(worker);
    if (judging === null) this.stop();
    else if (this.timer === null) this.lookNext();
  }

  /** It takes traffic from now on. */
  workerJoined(worker: ObservedWorker): void {
    this.workers.set(worker.id, worker);
    if (this.judging) this.attend(worker);
  }

  /** It has ended; what it had told counts. */
  workerGone(id: number): void {
    this.workers.delete(id);
  }

  observed(id: number, delta: ObservedDelta): void {
    const worker = this.workers.get(id);
    if (worker) this.gather(worker.generation, { ...delta, heldUpMs: [delta.heldUpMs], crashes: 0 });
  }

  /** Unasked. The requests that it had under way are lost: one at least. */
  crashed(id: number): void {
    const worker = this.workers.get(id);
    if (worker) this.gather(worker.generation, { ...NOTHING, requests: 1, failed: 1, crashes: 1 });
  }

  /** None where another rollout was observed since, or none was. */
  p99s(rolloutId: number): P99s {
    if (this.observedId !== rolloutId) return { beforeMs: null, duringMs: null };
    return { beforeMs: quantile(this.before, 0.99), duringMs: quantile(this.during, 0.99) };
  }

  private beginAnew(forgets: boolean): void {
    this.state = beginJudging();
    this.gathered = new Map();
    this.told = null;
    if (!forgets) return; // Whoever notes the end of the rollout still asks for its figures.
    this.before = EMPTY;
    this.during = EMPTY;
  }

  private changePhase(last: Judging, { phase }: Judging): void {
    this.look();
    this.told = null;
    if (phase === 'soak') this.state = beginSoak(this.state);
    else if (last.phase === 'boot') this.state = beginJudging();
  }

  private attend(worker: ObservedWorker): void {
    const { stable, canary, isJudged } = this.judging ?? { stable: null, canary: null, isJudged: false };
    const isWanted = worker.generation === stable || worker.generation === canary;
    worker.observe(isWanted ? (delta) => this.observed(worker.id, delta) : null, isJudged);
  }

  private gather(generation: number, more: Observed): void {
    if (generation !== this.judging?.stable && generation !== this.judging?.canary) return;
    const { requests, failed, latency, heldUpMs, crashes } = this.gathered.get(generation) ?? NOTHING;
    this.gathered.set(generation, {
      requests: requests + more.requests,
      failed: failed + more.failed,
      latency: [...latency, ...more.latency],
      heldUpMs: [...heldUpMs, ...more.heldUpMs],
      crashes: crashes + more.crashes,
    });
  }

  private lookNext(): void {
    const now = Date.now();
    const next = EVERY_MS - ((now - OFFSET_MS) % EVERY_MS);
    this.timer = setTimeout(() => {
      this.lookNext();
      this.look();
    }, next).unref();
  }

  private stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private look(): void {
    const { judging } = this;
    if (!judging) return;
    const of = (generation: number | null): Observed => this.gathered.get(generation ?? -1) ?? NOTHING;
    const observation = { canary: of(judging.canary), stable: of(judging.stable) };
    this.gathered = new Map();
    if (judging.phase === 'boot') {
      this.before = add(this.before, observation.stable.latency);
      return;
    }
    this.during = add(add(this.during, observation.stable.latency), observation.canary.latency);
    if (judging.canary === null || !judging.isJudged) return;
    const { state, verdict, reason } = judge(this.state, observation, this.settingsOf(judging.canary));
    this.state = state;
    this.tell({ rolloutId: judging.rolloutId, verdict, reason });
  }

  private tell(news: VerdictNews): void {
    const { told } = this;
    if (told?.verdict === news.verdict && told.reason === news.reason) return;
    const now = performance.now();
    if (told && news.verdict !== 'bad' && now - told.at < TELL_MS) return;
    this.told = { verdict: news.verdict, reason: news.reason, at: now };
    this.post(news);
  }
}
