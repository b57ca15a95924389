/** Runs in the master. `pause`: the steps of a canary wait where they are until a person goes on. */
import type { ControlResult } from '../../shared/control-protocol.js';
import type { CommandContext } from './context.js';
import { refusedIntervention } from './refusals.js';
import { succeeded } from './rollouts.js';

export async function pause(context: CommandContext): Promise<ControlResult> {
  const { supervisor, appName } = context;
  const ignored = await supervisor.request({ type: 'pause-requested' });
  if (ignored !== undefined) throw refusedIntervention(context, 'pause', ignored);
  const { to, weight, wantedWeight } = supervisor.state.rollout!;
  const stays = weight === wantedWeight ? 'stays' : 'has more workers started, and stays';
  const message = `generation ${to} ${stays} at ${wantedWeight} % of the traffic; zdsup promote ${appName} goes on, zdsup abort ${appName} goes back`;
  return { ...succeeded('pause', to, 0, message), weight: wantedWeight! };
}
