/** Runs in the master. `describe`: the snapshot, the config in force, and the last exits and rollouts. */
import type { ControlResult } from '../../shared/control-protocol.js';
import type { ConfigInForce } from '../../shared/description.js';
import type { Plan } from '../plan.js';
import type { CommandContext } from './context.js';

export async function describe({ snapshot, supervisor, effects, history }: CommandContext): Promise<ControlResult> {
  const app = await snapshot();
  const { serving } = supervisor.state;
  const plan = serving === null ? undefined : effects.plans.get(serving);
  const { exits, rollouts } = history;
  return {
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'describe',
    app: { ...app, config: plan ? inForce(plan) : null, exits, rollouts },
  };
}

/** The config as it is told to people: names of variables, no values, and no token. */
export function inForce({ config, entry, cwd, execArgv, env, policy, readAt }: Plan): ConfigInForce {
  const { name: _, env: own, http, ...rest } = config;
  return {
    ...rest,
    http: http && { ...http, token: http.token === null ? 'random' : 'in the config' },
    entry,
    cwd,
    readAt: new Date(readAt).toISOString(),
    execArgv,
    instances: policy.instances,
    surge: policy.surge,
    unavailable: policy.unavailable,
    envNames: Object.keys(own).sort(),
    otherEnvNames: Object.keys(env)
      .filter((variable) => !(variable in own))
      .sort(),
  };
}
