/** Runs in the CLI. Snapshots as a table for people: within 100 columns, and within those of a terminal that has fewer. */
import { wakeWords } from '../../shared/parked-words.js';
import type {
  AppSnapshot,
  AppState,
  ListenerSnapshot,
  LogSnapshot,
  RecyclingSnapshot,
  RolloutSnapshot,
  SoakSnapshot,
  WorkerSnapshot,
} from '../../shared/snapshot.js';
import { formatDuration, formatSize } from '../../shared/units.js';
import { styles } from './style.js';
import { table } from './table.js';

/** @param columns of the terminal; undefined where it is none */
export function renderStatus(apps: AppSnapshot[], now: number, columns?: number): string {
  return `${apps.map((app) => renderApp(app, now, columns)).join('\n\n')}\n`;
}

function renderApp(app: AppSnapshot, now: number, columns: number | undefined): string {
  const { bold, green, yellow, red, dim } = styles(process.stdout);
  if (app.state === 'unresponsive')
    return `${bold(app.name)}  ${red('unresponsive')}: its master${app.masterPid > 0 ? ` (pid ${app.masterPid})` : ''} did not answer in time`;
  if (app.ended) {
    const { at, reason } = app.ended;
    const crashed = app.state === 'crashed';
    const when = at === null ? '' : `  ${formatDuration(Math.max(0, now - Date.parse(at)))} ago`;
    const again = dim(`zdsup start ${app.name} brings it back`);
    return `${bold(app.name)}  ${crashed ? red(app.state) : app.state}${when}${reason === null ? '' : `: ${reason}`}  ${again}`;
  }
  const coloured: Partial<Record<AppState, (text: string) => string>> = { running: green, 'crash-looping': red };
  const state = (coloured[app.state] ?? yellow)(app.state);
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
    lines.push(
      `rollout    ${yellow(`${backWords(rollout)}to generation ${rollout.to ?? '?'}: ${rollout.step}`)}${heldWords(app, rollout)}`,
    );
  if (rollout?.canary) lines.push(`canary     ${canaryWords(app.name, rollout.canary, now)}`);
  if (rollout?.release) lines.push(`to release ${rollout.release.id} ${rollout.release.path}`);
  if (rollout?.outcome === 'succeeded' && rollout.kind === 'rollback')
    lines.push(
      `rollout    ${yellow('rolled back')} from generation ${rollout.from}${rollout.cause === null ? '' : `: ${rollout.cause}`}`,
    );
  if (rollout?.outcome === 'failed')
    lines.push(`rollout    ${rollout.aborted ? yellow('aborted') : red('failed')}: ${rollout.reason}`);
  if (app.soak) lines.push(`soak       ${soakWords(app.soak, now)}`);
  if (app.recycling) lines.push(...recyclingLines(app.recycling));
  if (app.parked) lines.push(`parked     ${parkedWords(app.name, app.parked, now)}`);
  if (app.log && logTrouble(app.log) !== null) lines.push(`log        ${yellow(logTrouble(app.log)!)}`);
  if (app.workers.length === 0) return [...lines, dim('workers    none')].join('\n');
  const drains = app.workers.flatMap((worker) => (worker.drain ? [drainLine(worker, worker.drain)] : []));
  return [...lines, '', workerTable(app.workers, now, columns ?? Number.POSITIVE_INFINITY), ...drains].join('\n');
}

/** Null where nothing is amiss. */
export function logTrouble({ droppedLines, droppedBytes, trouble, restarts }: LogSnapshot): string | null {
  const words = [
    ...(trouble === null ? [] : [`cannot be written: ${trouble}`]),
    ...(droppedLines === 0 ? [] : [`${droppedLines.toLocaleString('en')} lines dropped (${formatSize(droppedBytes)})`]),
    ...(restarts === 0 ? [] : [`its process was replaced ${restarts === 1 ? 'once' : `${restarts} times`}`]),
  ];
  return words.length === 0 ? null : words.join('; ');
}

/** Of one that is held: who gets how much, and what goes on. */
function heldWords({ name, weights }: AppSnapshot, { step, weight }: RolloutSnapshot): string {
  if (step !== 'canary' || weight === null) return '';
  const shares = Object.entries(weights).map(([generation, share]) => `generation ${generation} ${share} %`);
  return `, ${shares.join(', ')}; zdsup canary ${name} <weight>, promote or abort`;
}

/** Why it goes back, where it does. */
const backWords = ({ kind, cause }: RolloutSnapshot): string =>
  kind === 'rollback' ? `back${cause === null ? '' : ` (${cause})`} ` : '';

function canaryWords(
  name: string,
  { step, steps, until, verdict }: NonNullable<RolloutSnapshot['canary']>,
  now: number,
): string {
  const wait = until === null ? `waits for zdsup promote ${name}` : `${left(until, now)} left`;
  return `step ${step} of ${steps}, ${wait}; ${verdict ? `${verdict.kind}: ${verdict.reason}` : 'no verdict yet'}`;
}

function soakWords({ generation, until, judged, goesBack }: SoakSnapshot, now: number): string {
  const trial = `generation ${generation} is on trial for ${left(until, now)} more`;
  if (!goesBack) return `${trial}: no way back, the old files were edited`;
  return `${trial}: ${judged ? 'a crash loop or a bad verdict rolls it back' : 'crashes roll it back, bad figures do not'}`;
}

/** Where there is something to say: somebody is replaced, waits for it, or cannot be. */
function recyclingLines({ paused, slot, cause, due }: RecyclingSnapshot): string[] {
  const { yellow } = styles(process.stdout);
  const says = [
    ...(slot === null
      ? []
      : [`worker ${slot} is being replaced (${cause === 'command' ? 'by hand' : cause}), its successor first`]),
    ...(due.length === 0 ? [] : [`due: worker ${due.join(', ')}`]),
    ...(paused === 'release-modified' ? [yellow('paused, for the release is modified')] : []),
    ...(paused !== null && paused !== 'release-modified' && due.length > 0
      ? [`waits for the end of the ${paused}`]
      : []),
  ];
  return says.length === 0 ? [] : [`recycling  ${says.join('; ')}`];
}

const parkedWords = (
  name: string,
  { generation, until, boots }: NonNullable<AppSnapshot['parked']>,
  now: number,
): string =>
  `generation ${generation}${until === null ? '' : `, for ${left(until, now)} more`}; ${wakeWords(name, boots)}`;

const left = (until: string, now: number): string =>
  formatDuration(Math.max(0, Math.ceil((Date.parse(until) - now) / 1000) * 1000));

/** What a draining worker still waits for. */
function drainLine(
  { slot, generation, connections, inFlight }: WorkerSnapshot,
  { webSockets, leftMs }: NonNullable<WorkerSnapshot['drain']>,
): string {
  const idle = Math.max(0, (connections ?? 0) - (inFlight ?? 0) - (webSockets ?? 0));
  const waits = [
    counted(inFlight, 'request'),
    counted(webSockets, 'WebSocket'),
    counted(idle, 'other connection'),
    `${Math.ceil(leftMs / 1000)} s left`,
  ];
  return `worker ${slot} of generation ${generation} drains: ${waits.filter(Boolean).join(', ')}`;
}

const counted = (count: number | null, word: string): string | null =>
  count ? `${count} ${word}${count === 1 ? '' : 's'}` : null;

/** Dropped in this order, until the table fits. */
const LEAST_WANTED = ['in flight', 'gen', 'conns', 'recycled', 'restarts', 'requests', 'up'];

function workerTable(workers: WorkerSnapshot[], now: number, columns: number): string {
  const rows = workers.map((worker) => row(worker, now));
  const oneGeneration = new Set(workers.map((worker) => worker.generation)).size === 1; // The first line names it.
  const dropped = new Set<string>();
  if (workers.every(({ recycled = 0 }) => recycled === 0)) dropped.add('recycled');
  for (const next of ['', ...LEAST_WANTED]) {
    if (next !== 'gen' || oneGeneration) dropped.add(next);
    const kept = <T>(cells: T[]): T[] => cells.filter((_, index) => !dropped.has(HEADINGS[index]!));
    const shown = table(kept(HEADINGS), rows.map(kept));
    if (next === LEAST_WANTED.at(-1) || shown.split('\n').every((line) => line.length <= columns)) return shown;
  }
  return '';
}

/** A release that has just failed is not to be tried again as it is. */
const whatNow = ({ rollout }: AppSnapshot): string =>
  rollout?.outcome === 'failed'
    ? 'the directory has changed since; once it is mended, zdsup reload brings it in, or the next save where files are watched'
    : 'the directory has changed since; zdsup reload brings it in';

const HEADINGS = [
  'slot',
  'gen',
  'pid',
  'state',
  'up',
  'restarts',
  'recycled',
  'conns',
  'in flight',
  'requests',
  'cpu',
  'memory',
];

function row(worker: WorkerSnapshot, now: number): string[] {
  return [
    String(worker.slot),
    String(worker.generation),
    String(worker.pid ?? '-'),
    stateOf(worker, now),
    worker.startedAt === null ? '-' : formatDuration(Math.max(0, now - Date.parse(worker.startedAt))),
    String(worker.restarts),
    String(worker.recycled ?? 0),
    number(worker.connections),
    number(worker.inFlight),
    number(worker.requests),
    worker.cpuPercent === null ? '-' : `${worker.cpuPercent.toFixed(1)} %`,
    worker.rssBytes === null ? '-' : `${(worker.rssBytes / 2 ** 20).toFixed(1)} MB`,
  ];
}

function stateOf({ state, respawnAt, unresponsive }: WorkerSnapshot, now: number): string {
  if (unresponsive && state === 'active') return 'blocked';
  if (respawnAt === undefined) return state;
  return `${state}, again in ${Math.ceil(Math.max(0, Date.parse(respawnAt) - now) / 1000)} s`;
}

const number = (value: number | null): string => (value === null ? '-' : String(value));

function listener({ address, port, path, protocol }: ListenerSnapshot): string {
  if (path !== undefined) return `${protocol} ${path}`;
  return `${protocol}://${address?.includes(':') ? `[${address}]` : address}:${port}`;
}
