/** Which generations are there, what each is, and how the traffic is split between them. Pure. */
import type { GenerationFigures } from '../../shared/figures.js';
import type { AppSnapshot, WorkerSnapshot } from '../../shared/snapshot.js';

/** `candidate`: the new one of a rollout under way. */
export type Role = 'serving' | 'candidate' | 'draining' | 'parked';

export interface GenerationView {
  generation: number;
  role: Role;
  release: string | null;
  /** Percent of the new connections that it is given; null where nobody holds them back. */
  weight: number | null;
  /** Of the requests of the last seconds, 0 to 1; null where there were none, or figures are off. */
  measured: number | null;
  activeCount: number;
  workerCount: number;
  inFlight: number;
  connections: number;
  figures: GenerationFigures | null;
}

/** Oldest first. Those without a worker are left out. */
export function generationsOf(app: AppSnapshot): GenerationView[] {
  const numbers = [...new Set(app.workers.map(({ generation }) => generation))].sort((one, other) => one - other);
  const figures = new Map(app.figures?.generations.map((one) => [one.generation, one]));
  const rateOf = (generation: number): number => figures.get(generation)?.rates.requestsPerSecond ?? 0;
  const total = numbers.reduce((sum, generation) => sum + rateOf(generation), 0);
  return numbers.map((generation) => {
    const workers = app.workers.filter((worker) => worker.generation === generation);
    return {
      generation,
      role: roleOf(app, generation, workers),
      release: releaseOf(app, generation) ?? figures.get(generation)?.release ?? null,
      weight: weightOf(app, generation),
      measured: total > 0 ? rateOf(generation) / total : null,
      activeCount: workers.filter(({ state }) => state === 'active').length,
      workerCount: workers.length,
      inFlight: sumOf(workers, 'inFlight'),
      connections: sumOf(workers, 'connections'),
      figures: figures.get(generation) ?? null,
    };
  });
}

const sumOf = (workers: WorkerSnapshot[], what: 'inFlight' | 'connections'): number =>
  workers.reduce((sum, worker) => sum + (worker[what] ?? 0), 0);

function roleOf(
  { generation: serving, rollout, parked }: AppSnapshot,
  generation: number,
  workers: WorkerSnapshot[],
): Role {
  if (generation === serving) return 'serving';
  if (rollout?.outcome === null && rollout.to === generation && rollout.step !== 'aborting') return 'candidate';
  if (parked?.generation === generation || workers.every(({ state }) => state === 'parked')) return 'parked';
  return 'draining';
}

function releaseOf({ generation: serving, release, rollout }: AppSnapshot, generation: number): string | null {
  if (generation === serving) return release?.id ?? null;
  return rollout?.to === generation ? (rollout.release?.id ?? null) : null;
}

function weightOf({ weights, rollout }: AppSnapshot, generation: number): number | null {
  // While nobody is held back, all workers are worth the same, whatever generation they are of.
  if (rollout?.outcome !== null || rollout.weight === null) return null;
  return weights[generation] ?? 0;
}

export interface SplitPart {
  generation: number;
  /** Percent; all parts together are 100. */
  percent: number;
}

export interface Split {
  /** `weights`: as it is meant to be. `measured`: as the requests of the last seconds went. `workers`: nobody asks; as connections would go. `nobody`: there is
   * no active worker. */
  by: 'weights' | 'measured' | 'workers' | 'nobody';
  parts: SplitPart[];
}

export function splitOf(views: GenerationView[]): Split {
  if (!views.some(({ activeCount }) => activeCount > 0)) return { by: 'nobody', parts: parted(views, () => 0) };
  if (views.some(({ weight }) => weight !== null))
    return { by: 'weights', parts: parted(views, ({ weight }) => weight ?? 0) };
  if (views.some(({ measured }) => measured !== null))
    return { by: 'measured', parts: parted(views, ({ measured }) => measured ?? 0) };
  return { by: 'workers', parts: parted(views, ({ activeCount }) => activeCount) };
}

function parted(views: GenerationView[], sizeOf: (view: GenerationView) => number): SplitPart[] {
  const total = views.reduce((sum, view) => sum + sizeOf(view), 0);
  return views.map((view) => ({ generation: view.generation, percent: total > 0 ? (sizeOf(view) / total) * 100 : 0 }));
}
