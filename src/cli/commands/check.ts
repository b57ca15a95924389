/**
 * Runs in the CLI. `zdsup check`: the pre-flight of a reload, in this very process: one worker of the new code off the
 * traffic, and what would change. Whatever runs is only asked.
 */
import { askDescription } from '../../client/control-client.js';
import { knownApps } from '../../client/known-apps.js';
import type { CheckReport } from '../../shared/check-report.js';
import type { SmokeConfig } from '../../shared/config.js';
import type { AppDescription } from '../../shared/description.js';
import type { RolloutSnapshot } from '../../shared/snapshot.js';
import { VERSION } from '../../shared/version.cjs';
import { renderCheck } from '../render/check.js';
import { printError } from '../render/error.js';
import { makeProgress } from '../render/progress.js';
import { runsAs, wantedFor } from './check-target.js';
import { environmentOf } from './environment.js';
import { otherSourceOf } from './started-otherwise.js';

export interface CheckCommandOptions {
  run?: string;
  /** Which app of a config with several. */
  only?: string;
  allowListeners: boolean;
  json: boolean;
}

/** What a shell gives for a command that was interrupted: 128 + SIGINT. */
const INTERRUPTED = 130;
/** Of a script that `--run` names and the config does not, in ms. */
const RUN_TIMEOUT_MS = 60_000;

/** Steps of the worker that is tried; that it is then "promoted" and ended is no news. */
const TOLD = new Set(['warning', 'worker-started', 'worker-ready', 'warm-up', 'smoke', 'worker-exited', 'failed']);

/** @returns 0 where a reload would let the new code in, else 1 */
export async function check(target: string | undefined, options: CheckCommandOptions): Promise<number> {
  const { app: meant, request } = await wantedFor(target, options.only);
  const [{ readPlan, refuseRename }, { checkPlan }, { changesBetween, labelOf }, { inForce }] = await Promise.all([
    import('../../master/plan.js'),
    import('../../master/check.js'),
    import('../../master/changes.js'),
    import('../../master/commands/describe.js'),
  ]);
  const planRequest = { version: VERSION, ...request, command: 'check' as const };
  const shellPlan = await readPlan(planRequest, process.env);
  const running = await describeRunning(meant ?? (await runsAs(shellPlan, request)));
  // As a reload would have it: workers inherit from their master, never from this shell.
  const masterEnv = running && environmentOf(running.masterPid);
  const plan = masterEnv ? await readPlan(planRequest, masterEnv) : shellPlan;
  if (running) refuseRename(running.name, plan);
  const appName = running?.name ?? plan.appName;
  const smoke = smokeOf(options.run, plan.config.smoke);

  const progress = makeProgress(appName, options.json ? 'none' : process.stderr.isTTY ? 'live' : 'lines');
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupt); // A script of its own group would go on.
  const startedAt = performance.now();
  const mustListen = (running?.listeners.length ?? 0) > 0 && plan.config.ready.check !== 'message';
  const { end, listeners, warmup } = await checkPlan(plan, {
    smoke,
    mustListen,
    progress: (step) => void (TOLD.has(step.kind) && progress.show({ ...step, message: plain(step.message) })),
    signal: interrupted.signal,
  });
  progress.end();
  if (interrupted.signal.aborted) {
    process.stderr.write('the check was given up\n');
    return INTERRUPTED;
  }
  if (end.rollout.outcome === 'failed') {
    failed(appName, plain(end.rollout.reason ?? 'the check failed'), end.stderr, options.json);
    return 1;
  }
  const changes =
    running?.config && running.release
      ? await changesBetween(
          { ...running, config: running.config, release: running.release },
          { config: inForce(plan), release: plan.release, listeners },
        )
      : null;
  const report: CheckReport = {
    type: 'result',
    ...verdict(
      appName,
      changes,
      running?.rollout ?? null,
      options.allowListeners,
      (await otherSourceOf(appName, request))?.own ?? null,
    ),
    command: 'check',
    app: appName,
    durationMs: Math.round(performance.now() - startedAt),
    smoke: smoke === null ? 'none' : 'passed',
    warmup,
    state: running?.state ?? null,
    changes,
  };
  process.stdout.write(
    options.json ? `${JSON.stringify(report, null, 2)}\n` : renderCheck(report, plan.release, listeners.map(labelOf)),
  );
  return report.exitStatus;
}

function verdict(
  app: string,
  changes: CheckReport['changes'],
  rollout: RolloutSnapshot | null,
  allowListeners: boolean,
  otherSource: string | null,
): Pick<CheckReport, 'ok' | 'exitStatus' | 'message'> {
  const { added, missing } = changes?.listeners ?? { added: [], missing: [] };
  if (allowListeners || added.length + missing.length === 0)
    return {
      ok: true,
      exitStatus: 0,
      message: changes === null ? 'it starts' : letIn(app, rollout, otherSource),
    };
  const words = [
    ...(missing.length > 0 ? [`it does not listen on ${missing.join(', ')}`] : []),
    ...(added.length > 0 ? [`it listens on ${added.join(', ')} too`] : []),
  ];
  return {
    ok: false,
    exitStatus: 1,
    message: `a reload would refuse it: ${words.join(', and ')} (--allow-listeners accepts it)`,
  };
}

/** @param otherSource what a reload goes on with in place of what was checked */
function letIn(app: string, rollout: RolloutSnapshot | null, otherSource: string | null): string {
  if (otherSource === null) return `zdsup reload ${app} would let it in${notBefore(app, rollout)}`;
  return `it would be let in, but zdsup reload ${app} goes on with ${otherSource}, which ${app} was started from: this one takes zdsup stop ${app}, and a start`;
}

/** A reload is refused until then. */
function notBefore(app: string, rollout: RolloutSnapshot | null): string {
  if (rollout === null || rollout.outcome !== null) return '';
  return `, once the rollout under way is over: zdsup status ${app}`;
}

function failed(app: string, reason: string, stderr: string[], json: boolean): void {
  const error = {
    code: 'ZDSUP_CHECK_FAILED' as const,
    message: `${app}: ${reason}`,
    hint: 'what runs was not touched; mend the release and check again',
    exitStatus: 1 as const,
  };
  if (json)
    process.stdout.write(`${JSON.stringify({ type: 'result', ok: false, exitStatus: 1, error, stderr }, null, 2)}\n`);
  else printError(error, { json: false, stderr });
}

/** The worker that is tried is of no generation that anybody else knows. */
const plain = (message: string): string => message.replaceAll(/^generation 1: | of generation 1/g, '');

const smokeOf = (run: string | undefined, configured: SmokeConfig | null): SmokeConfig | null =>
  run === undefined ? configured : { run, timeoutMs: configured?.timeoutMs ?? RUN_TIMEOUT_MS };

/** Null where it does not run. */
async function describeRunning(name: string): Promise<AppDescription | null> {
  const running = (await knownApps()).find((app) => app.name === name)?.running;
  return running ? askDescription(running.socketPath) : null;
}
