/** Pure data of the core: what should run, what runs, what happened, what is to be done. No I/O, no clock. */
import type { BackoffConfig } from '../shared/config.js';
import type { Progress } from '../shared/control-protocol.js';

/** The numbers of a generation's config that the core decides by. */
export interface Policy {
  instances: number;
  /** As the config has it; a scale makes `instances` another number. */
  configuredInstances: number;
  check: 'listening' | 'message' | 'http';
  readyDeadlineMs: number;
  minReadyMs: number;
  surge: number;
  unavailable: number;
  atomic: boolean;
  drainTimeoutMs: number;
  killTimeoutMs: number;
  stopTimeoutMs: number;
  backoff: BackoffConfig;
  maxDraining: number;
  /** The first coming worker is tried by a script before it takes traffic. */
  smoke: boolean;
  /** Each new worker is asked some paths before it takes traffic. `required`: one that fails at it has failed. */
  warmup: 'none' | 'wanted' | 'required';
  /** So many crashes of one slot within so long are a crash loop. */
  crashLoop: { count: number; windowMs: number };
  /** A client's connections go to one worker, by its address. */
  sticky: boolean;
  /** By which a reload takes the traffic over; null: all at once. */
  canary: CanaryPolicy | null;
  /** So long after its promotion a generation is on trial: what goes wrong rolls it back. 0: it is good at once. */
  soakMs: number;
  /** So long the generation before stays parked; 0: it leaves. */
  keepWarmMs: number;
  /** What a worker is recycled for. */
  limits: Limits;
}

/** Of one worker. Null: none. Each worker has a limit of its own, a little below: see recycling.ts. */
export interface Limits {
  /** `each`: of each worker. `all`: of all of them together, `instances` of them. */
  memory: { bytes: number; of: 'each' | 'all' } | null;
  ageMs: number | null;
  requests: number | null;
}

/** Why a worker is replaced while it serves well. */
export type RecycleCause = 'memory' | 'age' | 'requests' | 'command';

export interface CanaryPolicy {
  /** Rising weights. */
  steps: CanaryStep[];
  /** What a step does whose time is over, with too little traffic for a verdict. */
  inconclusive: 'wait' | 'pause';
  /** A client's address stays on its side of the split while it lasts. */
  sticky: boolean;
}

export interface CanaryStep {
  /** Percent, 1 to 99. */
  weight: number;
  /** Null: until a person acts. */
  pauseMs: number | null;
}

/** Of the generation that a rollout brings in, against the one that serves beside it, or that did before. */
export interface Verdict {
  kind: 'good' | 'bad' | 'inconclusive';
  /** In words and figures. */
  reason: string;
}

/** What the shell is to observe: generations. */
export interface Judging {
  rolloutId: number;
  /** In a soak it has no traffic any more: its figures of before stand for it. */
  stable: number;
  canary: number | null;
  /** Else what is observed is for the record alone. */
  isJudged: boolean;
  /** `boot`: the new one has no traffic yet. `canary`: both have. `soak`: the new one alone. */
  phase: 'boot' | 'canary' | 'soak';
}

/** A release that was deployed, and the folder that it was taken from: paths below that one are those of the release. */
export interface ReleaseRef {
  id: string;
  path: string;
  from: string;
}

/** What a generation is to run: as the files say now, what an earlier one has run, or a release of the store. */
export type RolloutTarget =
  | { kind: 'files' }
  | { kind: 'generation'; number: number }
  | { kind: 'release'; release: ReleaseRef };

/** One way to go back: to wake the parked workers of a generation, or to boot what one of before has run, or a release. */
export type Way =
  | { kind: 'wake'; generation: number }
  | { kind: 'boot'; target: Exclude<RolloutTarget, { kind: 'files' }> };

/** How new connections reach the workers. `weights`: by generation, 0 to 100; {} where every worker is worth the same. */
export interface Routing {
  /** `direct`: the workers accept. `dispatch`: the master accepts, and sends. */
  mode: 'direct' | 'dispatch';
  sticky: boolean;
  weights: Record<number, number>;
}

/** Which listeners a worker must have asked for before it can be ready. */
export type Expected =
  /** A first start: whatever it opens; one that never listens is ready after a while. */
  | { kind: 'any' }
  /** `--allow-listeners`: at least one. */
  | { kind: 'some' }
  /** As the serving worker of that slot has them. */
  | { kind: 'exactly'; keys: string[] };

export type RetireReason = 'replaced' | 'abort' | 'stop' | 'surplus' | 'unresponsive' | 'recycled';

export type WorkerStatus =
  | { state: 'starting'; deadlineAt: number }
  | { state: 'ready'; readyAt: number }
  /** `confirmBy`: it has been told to accept and has not said yet that it does; null once it has. */
  | { state: 'active'; readyAt: number; confirmBy: number | null }
  /** Replaced, and kept for the way back: alive, without traffic; what it had open goes on. */
  | { state: 'parked'; readyAt: number }
  | { state: 'draining'; reason: RetireReason; deadlineAt: number; killAt: number }
  | { state: 'killing'; reason: RetireReason | 'not ready' };

export interface Worker {
  id: number;
  slot: number;
  generation: number;
  pid: number | null;
  forkedAt: number;
  /** The preload answered: user code begins to run. */
  helloAt: number | null;
  /** Its event loop had time to spare for the first time: its script is loaded. */
  idleAt: number | null;
  status: WorkerStatus;
  /** Listener keys asked for so far, with their names for people. */
  listeners: Record<string, string>;
  /** `listen` calls that have no answer yet: what the app says meanwhile, it says ahead of them. */
  askingCount: number;
  /** The last `listen` that the system has refused, for the report; an app may pass over it in silence. */
  listenFailure: string | null;
  readyMessage: boolean;
  probe: 'none' | 'running' | 'passed';
  /** What the last probe said, for the report when the deadline passes. */
  probeFailure: string | null;
  /** From its readiness on. `none`: its policy has no warm-up. `failed`: by `warmupFailure`, and it must not. */
  warmup: 'none' | 'due' | 'running' | 'failed' | 'done';
  warmupFailure: string | null;
  /** It has had traffic. */
  served: boolean;
  /** Its event loop has not answered for `livenessTimeout`: its slot is to be filled anew. */
  unresponsive: boolean;
  /** Its app wants it to be replaced, or nobody needs it beside another one: it serves until its successor does, and its slot is filled anew meanwhile. */
  leaving: boolean;
  /** In [0, 1): which limits of its own it has, so that not all workers come to theirs at once. */
  luck: number;
  /** It is past a limit: it is recycled when its turn comes. `what` for people. */
  due: { cause: RecycleCause; what: string; at: number } | null;
  /** Its successor is on the way. It serves, and is counted on, until that one does. */
  recycling: boolean;
}

export interface Slot {
  /** Unsolicited exits. */
  restarts: number;
  /** Of them, those in a row without a stay of `backoff.resetAfterMs`. */
  failures: number;
  /** Not forked again before this instant. */
  respawnAt: number;
  /** Instants of the crashes that still count for a crash loop. */
  crashes: number[];
  /** It crash-loops: marked and reported, and tried again all the same. */
  looping: boolean;
  /** Workers of it that were replaced while they served: by a limit, or by hand. No crash, and no restart. */
  recycled: number;
  /** So many times in a row a worker came to its limit at once, or could not be replaced: the pauses grow. */
  recycleStrikes: number;
  /** No worker of it is recycled by itself before this instant. */
  recycleAt: number;
  expected: Expected;
}

export interface Generation {
  number: number;
  policy: Policy;
  /** Desired: the slots that should have a worker. A rollout, a stop, a scale only edit this. */
  slots: number[];
  slotState: Record<number, Slot>;
  /** Every listener that a worker of it has opened and not closed again, with its name for people. A crash closes nothing. */
  listeners: Record<string, string>;
  /** Keys of those that a worker of it has closed again: its successor may look there as well. */
  closedAgain: string[];
  /** Of its first worker, before any of them takes traffic. `none`: its policy has no smoke test. */
  smoke: 'none' | 'due' | 'running' | 'passed';
  /** Its directory differs from what it started from. */
  modified: boolean;
  /** `modified` is fresh: an exit makes it stale until the shell has looked again. */
  checked: boolean;
  /** It has served through its soak, or began without one: what a rollback goes back to. */
  good: boolean;
  /** It runs what the generation runs that it was to replace: no way back leads to that one. */
  repeats: boolean;
  /** It came in by a restart: its app is not to run beside another generation. */
  alone: boolean;
  /** That its recycling is paused has been told. */
  recyclingPaused: boolean;
  /** While it is modified: whether it still is, is not looked at for a recycling before this instant. */
  lookAgainAt: number;
}

/** `restart`: the old workers have gone before the first new one is forked. `rollback`: to what was good before. */
export type RolloutKind = 'reload' | 'restart' | 'rollback';
/** `soak`, `watch`: by itself; out of a time on trial, and after a change of files. */
export type RolloutSource = 'start' | 'command' | 'signal' | 'soak' | 'watch';

export interface Rollout {
  id: number;
  kind: RolloutKind;
  source: RolloutSource;
  /** Old and new never run at once: a restart, and the way back from what a restart has brought in. */
  alone: boolean;
  allowListeners: boolean;
  from: number | null;
  to: number | null;
  /** `emptying`: a restart waits until the old workers have gone. `canary`: it is held at a weight, or on its way to another. */
  step: 'preparing' | 'waiting' | 'emptying' | 'booting' | 'canary' | 'shifting' | 'aborting' | 'done';
  /** Percent of the traffic that the new generation gets while it is held; null: not held, or not yet. */
  weight: number | null;
  /** The one asked for, which holds once the workers it needs serve; null: a rollout that goes on to its end by itself. */
  wantedWeight: number | null;
  /** Of its canary; [] where a person gives the weights. */
  steps: CanaryStep[];
  /** Of the steps, the one under way. */
  stepIndex: number;
  /** When the weight came to hold. */
  heldAt: number;
  /** The steps wait for a person. */
  paused: boolean;
  /** The last one on its canary. */
  verdict: Verdict | null;
  /** It begins without a canary, whatever the policy says. */
  noCanary: boolean;
  /** Of a rollback, the generation of before that it goes back to; null where it goes to a release, or is none. */
  backTo: number | null;
  /** Of a rollback, what is tried next where this way cannot be gone; [] once it has ended for good. */
  ways: Way[];
  /** Why it began, where it did so by itself. */
  cause: string | null;
  startedAt: number;
  /** Slots of the old generation when it began: what an abort brings back. */
  fromSlots: number[];
  /** Those of them that served then: an abort waits for no other, which was down before it. */
  servedSlots: number[];
  outcome: null | 'succeeded' | 'failed';
  reason: string | null;
  /** It has failed because a person gave it up: it was not found bad. */
  aborted: boolean;
  /** The worker that failed, for its last stderr lines. */
  culprit: number | null;
  /** While one of the old ones drains, no worker starts before: it gives its connections away. */
  nextStartAt: number;
  /** An abort that cannot bring the old generation back whole gives up waiting then. */
  abortBy: number | null;
}

/** A scale under way: an edit of the serving generation's slots that is taken back where a new worker fails. */
export interface Scaling {
  id: number;
  before: number;
  after: number;
}

/** One worker that is being replaced while it serves, its successor first. At most one is at a time. */
export interface Recycling {
  worker: number;
  generation: number;
  slot: number;
  cause: RecycleCause;
  /** `looking`: whether its folder is what it was. `replacing`: its successor is on the way. */
  step: 'looking' | 'replacing';
  /** Why it will be given up: what its successor has failed by. The first cause wins. */
  failure: string | null;
}

/** The time on trial after a promotion. */
export interface Soak {
  rolloutId: number;
  generation: number;
  /** The one before, whose figures the judge has. */
  from: number;
  /** A crash of a worker that had taken traffic moves it on. */
  until: number;
  /** It was a canary: the figures of its soak have something to be held against. */
  isJudged: boolean;
  /** Instants of such crashes, in whichever slot, that still count for a crash loop. */
  crashes: number[];
}

/** Several count as one; of a HUP and a change of files the HUP is left. */
export type QueuedReload = { source: 'signal' } | { source: 'watch'; cause: string | null };

export interface Fleet {
  nextWorkerId: number;
  nextGeneration: number;
  nextRolloutId: number;
  generations: Record<number, Generation>;
  workers: Record<number, Worker>;
  serving: number | null;
  /** The one under way, else the last. */
  rollout: Rollout | null;
  /** A HUP came during a rollout, or a change of files: one more runs after it. */
  reloadQueued: QueuedReload | null;
  nextScalingId: number;
  scaling: Scaling | null;
  /** The last scale: outlives reloads for as long as the config still says `configured`. */
  scaled: { count: number; configured: number } | null;
  stop: null | { deadlineAt: number };
  soak: Soak | null;
  recycling: Recycling | null;
  /** The generation that is parked; `until` is null while its rollout is under way. */
  warm: { generation: number; until: number | null } | null;
  /** Beside the serving one: what a rollback goes back to. The shell keeps its plan. */
  lastGood: number | null;
  /** Replaced since then while it was on trial, without a crash: what a soak goes back to where the last good one cannot be. Its plan is kept, too. */
  fallback: number | null;
  /** What the shell was told last. */
  judging: Judging | null;
  /** What the shell was told last. */
  routing: Routing;
  ended: boolean;
}

export type Event =
  /** `weight`: hold there, 1 to 99. */
  | {
      type: 'rollout-requested';
      kind: RolloutKind;
      source: RolloutSource;
      allowListeners: boolean;
      weight?: number | undefined;
      noCanary?: boolean | undefined;
      target?: RolloutTarget | undefined;
      /** Why, where it begins by itself. */
      cause?: string | undefined;
    }
  /** 0 to 100, of the generation that is held. */
  | { type: 'weight-requested'; weight: number }
  /** `full`: to the end, whatever steps are left. */
  | { type: 'promote-requested'; full?: boolean | undefined }
  /** The steps of a canary wait for a person. */
  | { type: 'pause-requested' }
  /**
   * To the given release, else to the parked generation, else to the last good one; of a rollout under way, its abort.
   * `ranBy`: the generation that runs that release already; it is woken where it is parked.
   */
  | { type: 'rollback-requested'; release?: ReleaseRef | undefined; ranBy?: number | undefined }
  | ({ type: 'verdict'; rolloutId: number } & { verdict: Verdict })
  | { type: 'abort-requested' }
  | { type: 'scale-requested'; count: number }
  /** Of the serving generation. */
  | { type: 'recycle-requested'; slot: number }
  /** `repeats`: it is to run what the serving generation runs, the same release with the same settings. */
  | { type: 'prepared'; rolloutId: number; policy: Policy; repeats?: boolean | undefined }
  | { type: 'prepare-failed'; rolloutId: number; reason: string }
  | { type: 'forked'; id: number; pid: number }
  | { type: 'hello'; id: number }
  /** Its event loop has time to spare: the script is loaded. */
  | { type: 'idle'; id: number }
  /** The app has called `listen`; one of the two below answers it. */
  | { type: 'listen-asked'; id: number }
  | { type: 'listening'; id: number; key: string; label: string }
  /** `what` for people: `port 80: EACCES`. */
  | { type: 'listen-failed'; id: number; what: string }
  /** The app has closed a server of its own accord. */
  | { type: 'closed'; id: number; key: string }
  | { type: 'ready-message'; id: number }
  /** It accepts now: its event loop has taken the word. */
  | { type: 'activated'; id: number }
  | { type: 'probe-passed'; id: number }
  | { type: 'probe-failed'; id: number; reason: string }
  | { type: 'smoke-passed'; id: number }
  | { type: 'smoke-failed'; id: number; reason: string }
  /** All paths were asked, or all up to the failure of one that must not fail. `results` for people. */
  | { type: 'warmed-up'; id: number; results: string; failure: string | null }
  /** Its event loop has not answered for `livenessTimeout`. */
  | { type: 'unresponsive'; id: number }
  /** Its app has called `cluster.worker.disconnect()`. */
  | { type: 'leaving'; id: number }
  /** It is past one of its limits. `what` for people: `has 534 MB, and may have 498 MB`. */
  | { type: 'outgrown'; id: number; cause: Exclude<RecycleCause, 'command'>; what: string }
  | { type: 'exited'; id: number; code: number | null; signal: string | null; error?: string }
  | { type: 'release-checked'; generation: number; modified: boolean }
  | { type: 'stop-requested' }
  | { type: 'end-at-once' }
  | { type: 'timer' };

export type Effect =
  | { type: 'prepare'; rolloutId: number; scaled: Fleet['scaled']; target: RolloutTarget }
  | { type: 'fork'; id: number; slot: number; generation: number }
  | { type: 'probe'; id: number }
  | { type: 'smoke'; id: number }
  | { type: 'warm-up'; id: number }
  /** Whatever it is still asked as its warm-up ends. */
  | { type: 'activate'; id: number }
  | { type: 'retire'; id: number; deadlineMs: number; closeIdle: boolean }
  /** Stop accepting, give idle connections away, and stay: it may be activated again. */
  | { type: 'park'; id: number }
  | { type: 'kill'; id: number }
  | { type: 'check-release'; generation: number }
  /** From now on; ahead of the workers that are activated with it, where the master begins to accept. */
  | { type: 'route'; routing: Routing }
  /** From now on; null: observe nobody. */
  | { type: 'judge'; judging: Judging | null }
  /** The generation has proven itself: a start after a crash runs its release. `leavesLoop`: what served before is no way back from it. */
  | { type: 'good'; generation: number; leavesLoop: boolean }
  | Omit<Progress, 'at'>
  | { type: 'rollout-begun'; rollout: Rollout }
  | { type: 'rollout-ended'; rollout: Rollout }
  /** It has come to the weight that was asked for. */
  | { type: 'held'; rollout: Rollout }
  /** A stop has come upon the hold. */
  | { type: 'hold-stopped'; rollout: Rollout }
  /** A stop has come upon its time on trial, in which nothing spoke against it. */
  | { type: 'soak-stopped'; generation: number }
  /** `reason`: why it was taken back; null where it holds. */
  | { type: 'scale-ended'; id: number; reason: string | null; culprit: number | null }
  /** `reason`: why it was given up; null where the slot has a new worker that serves. */
  | {
      type: 'recycle-ended';
      generation: number;
      slot: number;
      cause: RecycleCause;
      reason: string | null;
      culprit: number | null;
    }
  /** The generation has no worker left. */
  | { type: 'generation-gone'; generation: number }
  | { type: 'close-listeners' }
  | { type: 'end'; failed: boolean };

/** What the shell hands in: the instant, and a number in [0, 1) for jitter. */
export interface Context {
  now: number;
  random: number;
}

/** Why a scale is refused: a kind, for the command has the words. */
export type ScaleRefusal =
  | 'stopping'
  | 'nothing-serves'
  | 'scale-under-way'
  | 'rollout-under-way'
  | 'same-count'
  /** One of the workers that would stay is not up. */
  | 'too-few-up'
  /** The folder was edited in place: new workers would run other code than those that serve. */
  | 'release-modified';

/** Why the replacement of one worker is refused: a kind, for the command has the words. */
export type RecycleRefusal =
  | 'stopping'
  | 'nothing-serves'
  | 'scale-under-way'
  | 'rollout-under-way'
  | 'no-such-slot'
  /** It does not serve: it starts, or waits out the pause after a crash, or is being replaced as it is. */
  | 'not-up'
  /** A worker is being recycled. */
  | 'recycling'
  /** The folder was edited in place. */
  | 'release-modified';

/** Why a rollback is refused: a kind, for the command has the words. */
export type RollbackRefusal =
  | 'stopping'
  | 'nothing-serves'
  | 'scale-under-way'
  | 'rollout-under-way'
  | 'aborting'
  | 'first-start'
  /** One is under way: it is joined. */
  | 'rolling-back'
  /** The serving generation is what was gone back to. */
  | 'back-already'
  | 'nothing-before';

/** Why a weight, a pause, a promotion or an abort is refused: a kind, for the command has the words. */
export type InterventionRefusal =
  | 'stopping'
  | 'no-rollout'
  /** It goes on to its end by itself. */
  | 'not-held'
  /** Its workers boot, or it is on its way to another weight. */
  | 'not-there-yet'
  | 'aborting'
  | 'same-weight'
  /** Its steps wait for a person already. */
  | 'paused'
  /** Nothing serves that one could go back to. */
  | 'first-start';

/** `ignored`: why the event was, in words; of a scale a {@link ScaleRefusal}, of a recycling a {@link RecycleRefusal}, of an intervention an {@link InterventionRefusal}, of a rollback a {@link RollbackRefusal}. */
export type StepResult = { fleet: Fleet; effects: Effect[]; ignored?: string };
