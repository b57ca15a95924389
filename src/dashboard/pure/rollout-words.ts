/** The rollout under way, or the last one, as steps and sentences. Pure. */
import type { AppSnapshot, RolloutSnapshot, RolloutStep } from '../../shared/snapshot.js';
import { formatDuration } from '../../shared/units.js';
import type { Tone } from './marks.js';

export interface StepView {
  label: string;
  state: 'done' | 'now' | 'ahead';
  note: string | null;
}

const LABELS = { prepare: 'Prepare', empty: 'Empty', boot: 'Boot', canary: 'Canary', shift: 'Shift', trial: 'Trial' };
type Stage = keyof typeof LABELS;

const STAGES: Record<RolloutStep, Stage | null> = {
  preparing: 'prepare',
  waiting: 'prepare',
  emptying: 'empty',
  booting: 'boot',
  canary: 'canary',
  shifting: 'shift',
  aborting: null,
  done: 'trial',
};

/**
 * Empty where it has ended and is not on trial: then its outcome says all.
 * @param held that generation was held as a canary, as far as is known: the snapshot says so no more once it is promoted
 */
export function stepsOf(app: AppSnapshot, held: number | null = null): StepView[] {
  const { rollout, soak } = app;
  if (!rollout || (rollout.outcome !== null && !soak) || rollout.outcome === 'failed') return [];
  const now = STAGES[rollout.step];
  if (now === null) return [];
  const stages: Stage[] = [
    'prepare',
    ...(rollout.kind === 'restart' ? (['empty'] as const) : []),
    'boot',
    ...(rollout.step === 'canary' || (rollout.to !== null && rollout.to === held) ? (['canary'] as const) : []),
    'shift',
    'trial',
  ];
  const at = stages.indexOf(now);
  return stages.map((stage, index) => ({
    label: LABELS[stage],
    state: index < at ? 'done' : index === at ? 'now' : 'ahead',
    note: index === at ? noteOf(stage, app, rollout) : null,
  }));
}

function noteOf(stage: Stage, app: AppSnapshot, rollout: RolloutSnapshot): string | null {
  if (rollout.step === 'waiting') return 'waits for older generations to drain';
  if (stage === 'canary') {
    const { canary, weight } = rollout;
    const share = weight === null ? null : `${weight} %`;
    const step = canary ? `step ${canary.step} of ${canary.steps}` : null;
    return [share, step].filter(Boolean).join(', ') || null;
  }
  if (stage !== 'boot' && stage !== 'shift') return null;
  const coming = app.workers.filter(({ generation }) => generation === rollout.to);
  if (coming.length === 0) return null;
  return `${coming.filter(({ state }) => state === 'active').length} of ${coming.length} active`;
}

export interface Sentence {
  tone: Tone;
  /** A word or two, as a mark. */
  head: string;
  text: string;
}

/** What is under way, or came of the last one. */
export function headlineOf({ rollout }: AppSnapshot): Sentence {
  if (!rollout)
    return { tone: 'plain', head: 'No rollout yet', text: 'Since its master began, nothing was brought in.' };
  const way = wayOf(rollout);
  if (rollout.outcome === null)
    return rollout.step === 'aborting'
      ? {
          tone: 'warn',
          head: 'Aborting',
          text: `${way}: the old generation is brought back whole${because(rollout.reason)}`,
        }
      : { tone: 'plain', head: 'Under way', text: `${way}${because(rollout.cause)}` };
  if (rollout.outcome === 'succeeded') {
    const back = rollout.kind === 'rollback';
    return {
      tone: back ? 'warn' : 'good',
      head: back ? 'Rolled back' : 'Succeeded',
      text: `${way}${because(rollout.cause)}`,
    };
  }
  return {
    tone: rollout.aborted ? 'warn' : 'bad',
    head: rollout.aborted ? 'Aborted' : 'Failed',
    text: `${way}${because(rollout.reason)}`,
  };
}

const because = (why: string | null): string => (why === null ? '' : `: ${why}`);

function wayOf({ kind, from, to }: RolloutSnapshot): string {
  const verb = { reload: 'Reload', restart: 'Restart', rollback: 'Rollback' }[kind];
  if (to === null) return verb;
  return from === null ? `Start of generation ${to}` : `${verb} from generation ${from} to ${to}`;
}

/** What its traffic says of the canary; null where nobody is judged. */
export function verdictOf({ rollout }: AppSnapshot): Sentence | null {
  if (rollout?.outcome !== null || rollout.step !== 'canary') return null;
  const verdict = rollout.canary?.verdict ?? rollout.verdict;
  if (!verdict) return { tone: 'plain', head: 'None yet', text: 'too little was seen of its traffic' };
  const tone: Tone = verdict.kind === 'good' ? 'good' : verdict.kind === 'bad' ? 'bad' : 'warn';
  return { tone, head: `${verdict.kind[0]!.toUpperCase()}${verdict.kind.slice(1)}`, text: verdict.reason };
}

/** What happens next, and when. @param now ms since 1970, by the master's clock */
export function nextOf(app: AppSnapshot, now: number): string | null {
  const { rollout, soak, parked } = app;
  if (rollout?.outcome === null && rollout.step === 'canary' && rollout.weight !== null) {
    const until = rollout.canary?.until ?? null;
    return until === null
      ? 'Held until you promote, change the weight, or abort.'
      : `Step ends in ${left(until, now)}.`;
  }
  if (soak && rollout?.outcome !== null) {
    const trial = `Generation ${soak.generation} is on trial for ${left(soak.until, now)} more`;
    if (!soak.goesBack) return `${trial}: there is no way back.`;
    return `${trial}: ${soak.judged ? 'a crash loop or a bad verdict rolls it back' : 'crashes roll it back'}.`;
  }
  if (parked) {
    const time = parked.until === null ? '' : ` for ${left(parked.until, now)} more`;
    return `Generation ${parked.generation} is parked${time}: a rollback ${parked.boots === 0 ? 'is instant' : 'takes a boot'}.`;
  }
  return null;
}

const left = (until: string, now: number): string =>
  formatDuration(Math.max(0, Math.ceil((Date.parse(until) - now) / 1_000)) * 1_000).replace(/\.0 s$/, ' s');
