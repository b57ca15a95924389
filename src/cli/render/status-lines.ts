/** Runs in the CLI. What status says of an app above its table, line by line. */
import type { AppFigures, MasterFigures } from '../../shared/figures.js';
import { wakeWords } from '../../shared/parked-words.js';
import type {
  AppSnapshot,
  AppState,
  ListenerSnapshot,
  LogSnapshot,
  RecyclingSnapshot,
  RolloutSnapshot,
  SoakSnapshot,
  VerdictSnapshot,
} from '../../shared/snapshot.js';
import { formatDuration, formatSize } from '../../shared/units.js';
import { megabytes, milliseconds, percent, perSecond } from './figures.js';
import { styles } from './style.js';

/** What a line is about, of those that an app has above its table. */
export type Topic =
  | 'title'
  | 'traffic'
  | 'release'
  | 'listening'
  | 'rollout'
  | 'canary'
  | 'to release'
  | 'soak'
  | 'recycling'
  | 'parked'
  | 'log'
  | 'master';

export interface StatusLine {
  topic: Topic;
  text: string;
}

/** Its master answers: there is more to say of it than the title. */
export const isUp = (app: AppSnapshot): boolean => app.state !== 'unresponsive' && !app.ended;

/** What is said of an app above its table, in this order. */
export function statusLines(app: AppSnapshot, now: number): StatusLine[] {
  const title: StatusLine = { topic: 'title', text: titleWords(app, now) };
  if (!isUp(app)) return [title];
  const { dim, yellow } = styles(process.stdout);
  const { figures, release, rollout, soak, recycling, parked, log } = app;
  const lines = [title];
  const say = (topic: Topic, text: string): unknown => lines.push({ topic, text });
  if (figures) say('traffic', `traffic    ${trafficWords(figures)}`);
  if (release) say('release', `release    ${releaseWords(app, release)}`);
  say('listening', `listening  ${app.listeners.map(listener).join(', ') || dim('on nothing')}`);
  if (rollout && rolloutWords(app, rollout) !== null) say('rollout', `rollout    ${rolloutWords(app, rollout)}`);
  if (rollout?.canary) say('canary', `canary     ${canaryWords(app.name, rollout.canary, now)}`);
  else if (rollout?.verdict !== undefined) say('canary', `canary     ${verdictWords(rollout.verdict)}`);
  if (rollout?.release) say('to release', `to release ${rollout.release.id} ${rollout.release.path}`);
  if (soak) say('soak', `soak       ${soakWords(soak, now)}`);
  if (recycling && recyclingWords(recycling) !== '') say('recycling', `recycling  ${recyclingWords(recycling)}`);
  if (parked) say('parked', `parked     ${parkedWords(app.name, parked, now)}`);
  if (log && logTrouble(log) !== null) say('log', `log        ${yellow(logTrouble(log)!)}`);
  if (figures) say('master', `master     ${masterWords(figures.master)}`);
  return lines;
}

function titleWords(app: AppSnapshot, now: number): string {
  const { bold, green, yellow, red, dim } = styles(process.stdout);
  const name = bold(app.name);
  if (app.state === 'unresponsive')
    return `${name}  ${red('unresponsive')}: its master${app.masterPid > 0 ? ` (pid ${app.masterPid})` : ''} did not answer in time`;
  if (app.ended) {
    const { at, reason } = app.ended;
    const crashed = app.state === 'crashed';
    const when = at === null ? '' : `  ${formatDuration(Math.max(0, now - Date.parse(at)))} ago`;
    const again = dim(`zdsup start ${app.name} brings it back`);
    return `${name}  ${crashed ? red(app.state) : app.state}${when}${reason === null ? '' : `: ${reason}`}  ${again}`;
  }
  const coloured: Partial<Record<AppState, (text: string) => string>> = { running: green, 'crash-looping': red };
  const state = (coloured[app.state] ?? yellow)(app.state);
  const up = formatDuration(now - Date.parse(app.startedAt));
  return `${name}  ${state}  generation ${app.generation ?? '-'}  up ${up}  ${dim(`master ${app.masterPid}, zdsup ${app.version}`)}`;
}

function releaseWords(app: AppSnapshot, { id, path, modified }: NonNullable<AppSnapshot['release']>): string {
  const { yellow } = styles(process.stdout);
  return `${id} ${path}${modified ? `  ${yellow('release modified')}: ${whatNow(app)}` : ''}`;
}

/** Null of one that has succeeded, and did not go back: that is not worth a line. */
function rolloutWords(app: AppSnapshot, rollout: RolloutSnapshot): string | null {
  const { red, yellow } = styles(process.stdout);
  const { outcome, kind, from, to, step, cause, reason, aborted } = rollout;
  switch (outcome) {
    case null:
      return `${yellow(`${backWords(rollout)}${to === null ? '' : `to generation ${to}: `}${step}`)}${heldWords(app, rollout)}`;
    case 'succeeded':
      return kind === 'rollback'
        ? `${yellow('rolled back')} from generation ${from}${cause === null ? '' : `: ${cause}`}`
        : null;
    case 'failed':
      return `${aborted ? yellow('aborted') : red('failed')}: ${reason}`;
  }
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
  return `step ${step} of ${steps}, ${wait}; ${verdictWords(verdict)}`;
}

const verdictWords = (verdict: VerdictSnapshot | null): string =>
  verdict ? `${verdict.kind}: ${verdict.reason}` : 'no verdict yet';

function soakWords({ generation, until, judged, goesBack }: SoakSnapshot, now: number): string {
  const trial = `generation ${generation} is on trial for ${left(until, now)} more`;
  if (!goesBack) return `${trial}: no way back, the old files were edited`;
  return `${trial}: ${judged ? 'a crash loop or a bad verdict rolls it back' : 'crashes roll it back, bad figures do not'}`;
}

/** Somebody is replaced, waits for it, or cannot be; else empty. */
function recyclingWords({ paused, slot, cause, due }: RecyclingSnapshot): string {
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
  return says.join('; ');
}

const parkedWords = (
  name: string,
  { generation, until, boots }: NonNullable<AppSnapshot['parked']>,
  now: number,
): string =>
  `generation ${generation}${until === null ? '' : `, for ${left(until, now)} more`}; ${wakeWords(name, boots)}`;

const left = (until: string, now: number): string =>
  formatDuration(Math.max(0, Math.ceil((Date.parse(until) - now) / 1000) * 1000));

function trafficWords({ rates, crashes }: AppFigures): string {
  const { red } = styles(process.stdout);
  const { requestsPerSecond, p50Ms, p99Ms, errorRate } = rates;
  const took = p50Ms === null ? [] : [`p50 ${milliseconds(p50Ms)}`, `p99 ${milliseconds(p99Ms)}`];
  const errors = `errors ${percent(errorRate)}`;
  const crashed = crashes === 0 ? [] : [`${crashes} ${crashes === 1 ? 'crash' : 'crashes'} since the start`];
  return [`${perSecond(requestsPerSecond)} req/s`, ...took, errorRate > 0 ? red(errors) : errors, ...crashed].join(
    ', ',
  );
}

const masterWords = ({ cpuPercent, rssBytes, loop, queueDelayMs }: MasterFigures): string =>
  [
    `cpu ${cpuPercent.toFixed(1)} %`,
    megabytes(rssBytes),
    `loop ${Math.round(loop.utilization * 100)} %`,
    `queue ${milliseconds(queueDelayMs)}`,
  ].join(', ');

/** A release that has just failed is not to be tried again as it is. */
const whatNow = ({ rollout }: AppSnapshot): string =>
  rollout?.outcome === 'failed'
    ? 'the directory has changed since; once it is mended, zdsup reload brings it in, or the next save where files are watched'
    : 'the directory has changed since; zdsup reload brings it in';

function listener({ address, port, path, protocol }: ListenerSnapshot): string {
  if (path !== undefined) return `${protocol} ${path}`;
  return `${protocol}://${address?.includes(':') ? `[${address}]` : address}:${port}`;
}
