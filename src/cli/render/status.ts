/** Runs in the CLI. Snapshots as a table for people, within 100 columns. */
import type { AppSnapshot, ListenerSnapshot, WorkerSnapshot } from '../../shared/snapshot.js';
import { formatDuration } from '../../shared/units.js';
import { styles } from './style.js';
import { table } from './table.js';

export function renderStatus(apps: AppSnapshot[], now: number): string {
  return `${apps.map((app) => renderApp(app, now)).join('\n\n')}\n`;
}

function renderApp(app: AppSnapshot, now: number): string {
  const { bold, green, yellow, red, dim } = styles(process.stdout);
  if (app.state === 'unresponsive')
    return `${bold(app.name)}  ${red('unresponsive')}: its master did not answer in time`;
  const state = app.state === 'running' ? green(app.state) : yellow(app.state);
  const up = formatDuration(now - Date.parse(app.startedAt));
  const lines = [
    `${bold(app.name)}  ${state}  generation ${app.generation ?? '-'}  up ${up}  ${dim(`master ${app.masterPid}, zdsup ${app.version}`)}`,
  ];
  if (app.release) {
    const { id, path, modified } = app.release;
    lines.push(`release    ${id} ${path}${modified ? `  ${yellow('release modified')}: ${whatNow(app)}` : ''}`);
  }
  lines.push(`listening  ${app.listeners.map(listener).join(', ') || dim('on nothing')}`);
  const { rollout } = app;
  if (rollout && rollout.outcome === null)
    lines.push(`rollout    ${yellow(`to generation ${rollout.to ?? '?'}: ${rollout.step}`)}`);
  if (rollout?.outcome === 'failed') lines.push(`rollout    ${red('failed')}: ${rollout.reason}`);
  lines.push(
    '',
    table(
      HEADINGS,
      app.workers.map((worker) => row(worker, now)),
    ),
  );
  return lines.join('\n');
}

/** A release that has just failed is not to be tried again as it is. */
const whatNow = ({ rollout }: AppSnapshot): string =>
  rollout?.outcome === 'failed'
    ? 'the directory has changed since; once it is mended, zdsup reload brings it in'
    : 'the directory has changed since; zdsup reload brings it in';

const HEADINGS = ['slot', 'gen', 'pid', 'state', 'up', 'restarts', 'conns', 'in flight', 'requests', 'cpu', 'memory'];

function row(worker: WorkerSnapshot, now: number): string[] {
  return [
    String(worker.slot),
    String(worker.generation),
    String(worker.pid ?? '-'),
    worker.state,
    formatDuration(Math.max(0, now - Date.parse(worker.startedAt))),
    String(worker.restarts),
    number(worker.connections),
    number(worker.inFlight),
    number(worker.requests),
    worker.cpuPercent === null ? '-' : `${worker.cpuPercent.toFixed(1)} %`,
    worker.rssBytes === null ? '-' : `${(worker.rssBytes / 2 ** 20).toFixed(1)} MB`,
  ];
}

const number = (value: number | null): string => (value === null ? '-' : String(value));

function listener({ address, port, path, protocol }: ListenerSnapshot): string {
  if (path !== undefined) return `${protocol} ${path}`;
  return `${protocol}://${address?.includes(':') ? `[${address}]` : address}:${port}`;
}
