/**
 * Runs in the command. The pre-flight: one worker of the new code, off the traffic, under the very core that rolls it out: its
 * readiness, its warm-up, its `minReady`, its smoke test. What runs meanwhile is not touched: every socket is bound aside.
 */
import type { Fleet } from '../domain/types.js';
import type { WarmUpAnswer } from '../shared/check-report.js';
import type { SmokeConfig } from '../shared/config.js';
import type { Progress } from '../shared/control-protocol.js';
import type { ListenerSnapshot } from '../shared/snapshot.js';
import type { RolloutEnd } from './effects.js';
import { Effects } from './effects.js';
import { Listeners } from './listeners.js';
import type { Logger } from './log.js';
import type { Plan } from './plan.js';
import { Supervisor } from './supervisor.js';

export interface CheckOptions {
  smoke: SmokeConfig | null;
  /** The app that runs has listeners: one that never listens is no queue worker then. */
  mustListen: boolean;
  progress(step: Progress): void;
  /** Ends the check before its time. */
  signal: AbortSignal;
}

export interface Checked {
  end: RolloutEnd;
  /** What the worker had opened when it was proven. */
  listeners: ListenerSnapshot[];
  /** What it was asked for its warm-up. */
  warmup: WarmUpAnswer[];
}

/** Settles when the worker has gone again. */
export async function checkPlan(plan: Plan, options: CheckOptions): Promise<Checked> {
  const { smoke } = options;
  const tried: Plan = {
    ...plan,
    config: { ...plan.config, smoke },
    policy: { ...plan.policy, instances: 1, configuredInstances: 1, smoke: smoke !== null },
  };
  const listeners = new Listeners(true);
  let end: () => void;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const effects: Effects = new Effects({
    appName: plan.appName,
    listeners,
    logger: SILENT,
    output: 'to-stderr',
    makePlan: async (_: Fleet['scaled']) => tried,
    post: (event) => supervisor.post(event),
    ended: () => end(),
  });
  const supervisor: Supervisor = new Supervisor(effects.perform);
  const warmup: WarmUpAnswer[] = [];
  const checked = new Promise<Checked>((resolve) => {
    effects.observers.add({
      progress: options.progress,
      warmUpAsked: (answer) => void warmup.push(answer),
      rolloutEnded: (rolloutEnd) => resolve({ end: rolloutEnd, listeners: listeners.snapshot(), warmup }),
    });
  });
  options.signal.addEventListener('abort', () => supervisor.post({ type: 'stop-requested' }));
  supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: options.mustListen });
  const result = await checked;
  supervisor.post({ type: 'stop-requested' });
  await ended;
  listeners.closeAllBut(new Set());
  return result;
}

/** Its progress is shown by the command. */
const SILENT = { info() {}, warn() {}, error() {} } as unknown as Logger;
