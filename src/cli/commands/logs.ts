/** Runs in the CLI. `zdsup logs`: the last lines of a daemon's log or, with --events, of an app's journal; with -f what is written from then on. */
import { readFileSync } from 'node:fs';
import { chooseKnown } from '../../client/known-apps.js';
import { brokenRecord } from '../../client/records.js';
import { ZdsupError } from '../../shared/errors.js';
import { logPath } from '../../shared/paths.js';
import { eachLine, toStdout } from '../line-output.js';
import { followFile, startOfLastLines } from '../log-file.js';
import { styles } from '../render/style.js';

/** Follows until it is interrupted, as `tail -f`: the shell then sees 130. */
export async function logs(
  name: string | undefined,
  options: { follow: boolean; lines: number; json: boolean; events: boolean },
): Promise<number> {
  if (name === 'all')
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: 'the logs of several apps at once would be told apart by nobody',
      hint: 'zdsup logs <app>; zdsup status lists them',
      exitStatus: 2,
    });
  const [app] = await chooseKnown(name);
  // Whoever reads along may leave (| head): there is nobody to follow for.
  process.stdout.on('error', () => process.exit(0));
  if (options.events) {
    const { logEvents } = await import('./log-events.js');
    return logEvents(app!, options);
  }
  const { remembered } = app!;
  if (remembered && remembered.record === null) throw brokenRecord(remembered);
  if (!remembered?.record?.daemon) throw elsewhere(app!.name, app!.running ? (remembered?.record?.masterPid ?? 0) : 0);
  const path = logPath(remembered.state, app!.name);
  const write = options.json
    ? eachLine((line) => JSON.stringify({ app: app!.name, line }))
    : process.stdout.isTTY
      ? eachLine(forPeople)
      : toStdout;
  const from = startOfLastLines(path, options.lines);
  if (from === null) process.stderr.write(`${app!.name} has no log yet: ${path}\n`);
  await followFile(path, from ?? 0, options.follow, write);
  return 0;
}

/** On a terminal the master's own lines, which are JSON, are told as a foreground master tells them there. */
function forPeople(line: string): string {
  if (!line.startsWith('{"level":') || !line.includes('"name":"zdsup"')) return line;
  try {
    const { level, time, app, msg } = JSON.parse(line) as Record<'level' | 'time' | 'app' | 'msg', string>;
    const { red, yellow, dim } = styles(process.stdout);
    const said = level === 'error' ? red(msg) : level === 'warn' ? yellow(msg) : msg;
    return `${dim(`[${new Date(time).toTimeString().slice(0, 8)}] ${app}:`)} ${said}`;
  } catch {
    return line; // Cut short by a full disk.
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
