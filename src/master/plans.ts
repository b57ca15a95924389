/**
 * Runs in the master. The plans of the generations: made where a rollout is prepared, adopted with the first fork, forgotten once nobody
 * may start from them any more. Starts no worker, and decides nothing.
 */
import type { Effect, Event, Fleet, ReleaseRef } from '../domain/types.js';
import { isWayBack } from '../domain/ways.js';
import type { ErrorReport } from '../shared/errors.js';
import { toReport, ZdsupError } from '../shared/errors.js';
import { whileItRuns } from './commands/edited-in-place.js';
import type { DeployedRelease, Plan } from './plan.js';
import { runsTheSame } from './plan.js';
import { ReleaseLooks } from './release-looks.js';

export interface PlansOptions {
  appName: string;
  /** Folder of the app's releases. @default it has none */
  store?: string | undefined;
  /** Reads the config afresh and resolves the release. */
  makePlan(scaled: Fleet['scaled'], release: ReleaseRef | undefined): Promise<Plan>;
  /** What a plan says to people. */
  warn(message: string): void;
  post(event: Event): void;
}

export class Plans {
  private readonly byGeneration = new Map<number, Plan>();
  /** Of rollouts that have forked nobody yet. */
  private readonly candidates = new Map<number, Plan>();
  private readonly errors = new Map<number, ErrorReport>();
  /** Rollouts whose plan is being made, and is wanted still. */
  private readonly preparing = new Set<number>();
  private readonly looks = new ReleaseLooks();

  constructor(private readonly options: PlansOptions) {}

  get(generation: number): Plan | undefined {
    return this.byGeneration.get(generation);
  }

  /** Generations that have one. */
  keys(): IterableIterator<number> {
    return this.byGeneration.keys();
  }

  /** The answer comes as an event. Never rejects. */
  async prepare({ rolloutId, scaled, target }: Extract<Effect, { type: 'prepare' }>, fleet: Fleet): Promise<void> {
    const serving = this.byGeneration.get(fleet.serving ?? -1);
    this.preparing.add(rolloutId);
    try {
      const plan =
        target.kind === 'generation'
          ? await this.planOfBefore(target.number, fleet)
          : await this.options.makePlan(scaled, target.kind === 'release' ? target.release : undefined);
      if (!this.preparing.delete(rolloutId)) return; // It was given up meanwhile.
      for (const message of plan.warnings) this.options.warn(message);
      this.candidates.set(rolloutId, plan);
      const repeats = serving !== undefined && runsTheSame(plan, serving);
      this.options.post({ type: 'prepared', rolloutId, policy: plan.policy, repeats });
    } catch (error) {
      const report = toReport(error);
      if (!this.preparing.delete(rolloutId)) return;
      this.errors.set(rolloutId, serving ? whileItRuns(report, this.options.appName) : report);
      this.options.post({ type: 'prepare-failed', rolloutId, reason: report.message });
    }
  }

  /** The first fork of a generation makes the candidate of its rollout its plan. */
  adopt(generation: number, { rollout }: Fleet): void {
    if (this.byGeneration.has(generation) || rollout?.to !== generation) return;
    const plan = this.candidates.get(rollout.id);
    if (plan) this.byGeneration.set(generation, plan);
  }

  /** What was made for that rollout is nobody's any more. @returns why it could not be prepared, where it could not */
  rolloutEnded(rolloutId: number): ErrorReport | null {
    this.candidates.delete(rolloutId);
    this.preparing.delete(rolloutId);
    const error = this.errors.get(rolloutId) ?? null;
    this.errors.delete(rolloutId);
    return error;
  }

  /** But those that somebody may start from: generations that are there, and those that a rollback goes to. */
  forget(fleet: Fleet): void {
    for (const number of this.byGeneration.keys())
      if (!(number in fleet.generations) && !isWayBack(fleet, number)) this.byGeneration.delete(number);
  }

  /** Is the folder of that generation another than it started from? Undefined where its plan is not known. Never rejects. */
  async isModified(generation: number): Promise<boolean | undefined> {
    const plan = this.byGeneration.get(generation);
    return plan && (await this.looks.isModified(plan));
  }

  /** Does what that generation has run lie in its folder still? Of a release of the store nobody has to look. Never rejects. */
  async isUnchanged(generation: number): Promise<boolean> {
    const plan = this.byGeneration.get(generation);
    return plan !== undefined && (plan.deployed !== null || !(await this.looks.isModified(plan)));
  }

  /**
   * What that generation has run.
   * @throws ZdsupError ZDSUP_RELEASE_CHANGED where its folder is not what it was: a folder edited in place cannot be gone back to
   */
  private async planOfBefore(generation: number, { fallback }: Fleet): Promise<Plan> {
    const plan = this.byGeneration.get(generation)!;
    if (!(await this.looks.isModified(plan))) return plan;
    const { appName, store } = this.options;
    const between = fallback === generation ? undefined : this.byGeneration.get(fallback ?? -1)?.deployed;
    // Loaded here: few apps ever ask. Where it cannot be, the hint is the shorter one.
    const toStored =
      store === undefined
        ? ''
        : await import('./stored-instead.js')
            .then(({ storedInstead }) => storedInstead(store, appName))
            .catch(() => '');
    const toBetween = between ? `${betweenWords(appName, between)}; ` : '';
    throw new ZdsupError({
      code: 'ZDSUP_RELEASE_CHANGED',
      message: `${plan.release.path} was edited in place, or removed, since generation ${generation} started: what it ran is not there any more`,
      hint: `${toBetween}${toStored}put the old files back and run zdsup reload ${appName}; zdsup deploy ${appName} keeps releases that one can go back to`,
      exitStatus: 1,
    });
  }
}

/** Of the release that was replaced while it was on trial, where the last good one cannot be gone back to. */
export const betweenWords = (appName: string, { id }: DeployedRelease): string =>
  `zdsup rollback ${appName} --to ${id} goes to the one between, which had not crashed when it was replaced`;
