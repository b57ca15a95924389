/** What a verdict on the coming, or just promoted, generation does; and what the shell is to observe for one. Pure. */
import { stepOf } from './canary.js';
import { rolloutUnderWay } from './fleet.js';
import { abortRollout } from './rollout.js';
import { rollBackFromSoak } from './soak.js';
import type { Effect, Fleet, Judging, Verdict } from './types.js';

/** Returns why it is ignored, where it is. */
export function judged(
  fleet: Fleet,
  rolloutId: number,
  verdict: Verdict,
  now: number,
  effects: Effect[],
): string | undefined {
  if (fleet.judging?.rolloutId !== rolloutId) return 'nobody is judged any more';
  if (fleet.judging.phase === 'soak') {
    if (verdict.kind === 'bad') rollBackFromSoak(fleet, verdict.reason, now, effects);
    return undefined;
  }
  const rollout = fleet.rollout!;
  if (fleet.judging.phase === 'boot') return 'it has no traffic yet';
  if (!fleet.judging.isJudged) return 'it is observed for the record alone';
  const isNews = rollout.verdict?.kind !== verdict.kind;
  rollout.verdict = verdict;
  if (verdict.kind === 'bad') {
    abortRollout(fleet, `generation ${rollout.to} is worse: ${verdict.reason}`, null, now, effects);
    return undefined;
  }
  const waits = verdict.kind === 'inconclusive' && stepOf(rollout)?.pauseMs != null;
  if (isNews)
    effects.push({
      type: 'progress',
      kind: 'verdict',
      message: `generation ${rollout.to} at ${rollout.weight} %: ${verdict.kind} so far (${verdict.reason})${waits ? '; zdsup promote goes on without a verdict' : ''}`,
      generation: rollout.to!,
    });
  return undefined;
}

/** Every reload is observed for the record; judged are those that stand beside the old generation, and what comes of them. */
export function judgingOf(fleet: Fleet): Judging | null {
  if (fleet.stop) return null;
  const { rollout, soak } = fleet;
  if (rollout && rolloutUnderWay(fleet)) {
    const { id, kind, from, to, step, weight } = rollout;
    if (kind !== 'reload' || from === null || step === 'aborting' || step === 'preparing') return null;
    const phase = (step === 'canary' && weight !== 0) || step === 'shifting' ? 'canary' : 'boot';
    const isJudged = rollout.steps.length > 0 || step === 'canary';
    return { rolloutId: id, stable: from, canary: to, isJudged, phase };
  }
  if (!soak?.isJudged) return null;
  return { rolloutId: soak.rolloutId, stable: soak.from, canary: soak.generation, isJudged: true, phase: 'soak' };
}

/** Tells the shell where something has changed. */
export function settleJudging(fleet: Fleet, effects: Effect[]): void {
  const judging = judgingOf(fleet);
  if (isSame(judging, fleet.judging)) return;
  fleet.judging = judging;
  effects.push({ type: 'judge', judging });
}

const isSame = (one: Judging | null, other: Judging | null): boolean =>
  one?.rolloutId === other?.rolloutId &&
  one?.stable === other?.stable &&
  one?.canary === other?.canary &&
  one?.isJudged === other?.isJudged &&
  one?.phase === other?.phase;
