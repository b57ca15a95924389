/** Runs in the master. What a stop during a hold leaves behind: a later start reads config and code anew, and so runs what was only being tried; but for releases of the store, of which it runs the last good one. */
import type { Rollout } from '../domain/types.js';
import type { Plan } from './plan.js';

type Run = Pick<Plan, 'release' | 'deployed'> | undefined;

/** @param coming of the generation that was held @param serving of the one that had the rest of the traffic */
export function laterStart({ from, to, weight }: Rollout, coming: Run, serving: Run): string {
  const told = (run: Run): string => (run ? `${run.release.id} (${run.release.path})` : 'unknown');
  const held = `generation ${to} was at ${weight} %`;
  if (serving?.deployed)
    return `${held}: a later start by name runs release ${told(serving)}, which was good last, not ${told(coming)}, which was only being tried`;
  if (coming?.deployed)
    return `${held}: a later start by name runs what was good last, not release ${told(coming)}, which was only being tried`;
  return coming?.release.id === serving?.release.id
    ? `${held}: a later start runs release ${told(coming)} with its config, not with that of generation ${from}`
    : `${held}: a later start runs its release ${told(coming)}, not ${told(serving)} of generation ${from}`;
}
