/** Runs in the CLI. `zdsup logs`: the last lines of what is kept of an app's output or, with --events, of its journal; with -f what is written from then on. */
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { chooseKnown } from '../../client/known-apps.js';
import { brokenRecord } from '../../client/records.js';
import { ZdsupError } from '../../shared/errors.js';
import { logPath } from '../../shared/paths.js';
import { toStdout } from '../line-output.js';
import { Follower } from '../logs/follow.js';
import type { LogLine, Wanted } from '../logs/line.js';
import { byTime } from '../logs/line.js';
import type { Log } from '../logs/past.js';
import { allLines, lastLines, openAt } from '../logs/past.js';
import { asJson, asWritten, forPeople } from '../logs/render.js';
import type { Asked } from '../logs/wanted.js';
import { wantedBy } from '../logs/wanted.js';
import { styles } from '../render/style.js';
import { noteUnitless } from '../render/unitless.js';

export interface LogsOptions extends Asked {
  follow: boolean;
  /** @default 20; with `since` all */
  lines?: number | undefined;
  json: boolean;
  events: boolean;
}

/** How often a followed log is looked at, in ms. */
const LOOK_MS = 200;
const DEFAULT_LINES = 20;
/** Shown at once, in lines: one write each would be slow. */
const BATCH = 500;

/** Follows until it is interrupted, as `tail -f`: the shell then sees 130. */
export async function logs(name: string | undefined, options: LogsOptions): Promise<number> {
  if (name === 'all')
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: 'the logs of several apps at once would be told apart by nobody',
      hint: 'zdsup logs <app>; zdsup status lists them',
      exitStatus: 2,
    });
  noteUnitless('--since', options.since);
  const wanted = wantedBy(options, Date.now());
  const [app] = await chooseKnown(name);
  // Whoever reads along may leave (| head): there is nobody to follow for.
  process.stdout.on('error', () => process.exit(0));
  if (options.events) {
    const { logEvents } = await import('./log-events.js');
    return logEvents(app!, { ...options, lines: options.lines ?? DEFAULT_LINES });
  }
  const { remembered } = app!;
  if (remembered && remembered.record === null) throw brokenRecord(remembered);
  const record = remembered?.record;
  if (!record || (!record.daemon && !record.log))
    throw elsewhere(app!.name, app!.running ? (remembered?.record?.masterPid ?? 0) : 0);
  const { out, error } = record.log ?? { out: logPath(remembered!.state, app!.name), error: null };
  const paths = error === null || error === out ? [out] : [out, error];
  const show = shower(app!.name, options.json);
  const found = paths.map(openAt);
  if (found.every(({ file }) => file === null)) process.stderr.write(`${app!.name} has no log yet: ${out}\n`);
  let isEmpty = true;
  const showSome: Show = (lines) => {
    if (lines.length > 0) isEmpty = false;
    return show(lines);
  };
  await showPast(found, options, wanted, showSome);
  if (options.follow) await followAll(found, options, wanted, show);
  if (isEmpty && options.lines !== 0 && found.some(({ file }) => file !== null)) noteNoMatch(app!.name, options);
  return 0;
}

/** Silence would be taken for an app that is silent. */
function noteNoMatch(app: string, { worker, generation, since, grep }: LogsOptions): void {
  const given = Object.entries({ worker, generation, since, grep }).filter(([, value]) => value !== undefined);
  if (given.length === 0) return;
  const flags = given.map(([flag, value]) => `--${flag} ${value}`).join(' ');
  process.stderr.write(`no line of the log of ${app} matches ${flags}\n`);
}

type Show = (lines: LogLine[]) => Promise<void>;

function shower(app: string, json: boolean): Show {
  if (json || !process.stdout.isTTY) {
    const render = json ? asJson(app) : asWritten;
    return (lines) => toStdout(Buffer.concat(lines.map((line) => Buffer.from(render(line)))));
  }
  const colorize = process.stdout.hasColors?.() === true && !process.env.NO_COLOR;
  const render = forPeople(styles(process.stdout), async () => {
    const { prettyFactory } = await import('pino-pretty');
    return prettyFactory({ colorize, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' });
  });
  return async (lines) => {
    let text = '';
    for (const line of lines) text += await render(line);
    await toStdout(text);
  };
}

async function showPast(found: Log[], { lines, since }: LogsOptions, wanted: Wanted, show: Show): Promise<void> {
  if (lines !== undefined || since === undefined || found.length > 1) {
    const count = lines ?? (since === undefined ? DEFAULT_LINES : Number.MAX_SAFE_INTEGER);
    const last = byTime(await Promise.all(found.map((log) => lastLines(log, count, wanted))));
    await showBatched(last.slice(-count), show);
    return;
  }
  await showBatched(allLines(found[0]!, wanted), show);
}

async function showBatched(lines: Iterable<LogLine> | AsyncIterable<LogLine>, show: Show): Promise<void> {
  let batch: LogLine[] = [];
  for await (const line of lines) {
    batch.push(line);
    if (batch.length < BATCH) continue;
    await show(batch);
    batch = [];
  }
  await show(batch);
}

async function followAll(found: Log[], { json }: LogsOptions, wanted: Wanted, show: Show): Promise<never> {
  yieldToTheApp();
  const asksOrigin = [wanted.worker, wanted.generation, wanted.since].some((value) => value !== undefined);
  const wantsOrigin = json || asksOrigin || process.stdout.isTTY === true;
  const followers = found.map((log) => new Follower(log, wanted, wantsOrigin));
  for (;;) {
    for (const follower of followers) await showBatched(follower.look(), show);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function elsewhere(app: string, masterPid: number): ZdsupError {
  const unit = masterPid > 0 ? unitOf(masterPid) : null;
  return new ZdsupError({
    code: 'ZDSUP_LOG_ELSEWHERE',
    message: `${app} is no daemon: what it writes goes where it was started from, and zdsup keeps none of it`,
    hint:
      unit === null
        ? 'look at its terminal, its container, or journalctl; zdsup start --daemon keeps a log'
        : `journalctl -u ${unit}`,
    exitStatus: 3,
  });
}

/** The systemd unit it runs in, where that is a service. */
function unitOf(pid: number): string | null {
  try {
    return /([^/\n]+\.service)\/?$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Whoever reads along with a log that is written at full speed computes all the time: on a small host clients and the master come first. */
function yieldToTheApp(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // This host does not allow it.
  }
}
