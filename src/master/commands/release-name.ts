/** Runs in the master. How people know a release: its id, and the commit and message that it was deployed with. */
import type { CommandContext } from './context.js';
import { late } from './late.js';

/** Of what that generation runs: `3aa12f04 (9d1c2e7 New basket; for the sale)`. Null where that is not known any more. */
export async function releaseName(
  { effects, store }: CommandContext,
  generation: number | null,
): Promise<string | null> {
  const plan = effects.plans.get(generation ?? -1);
  if (!plan) return null;
  const { id } = plan.release;
  if (!plan.deployed) return id;
  const { readHead } = await late(import('../../releases/store.js'));
  try {
    const { label, message } = readHead(store, plan.deployed.id);
    const more = [label && `${label.commit} ${label.subject}`, message].filter(Boolean).join('; ');
    return more === '' ? id : `${id} (${more})`;
  } catch {
    return id; // Its manifest is damaged, or has gone: it serves all the same.
  }
}
