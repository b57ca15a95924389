/** Runs in the CLI. A description for people: the status, then section by section what is behind it. */
import type { AppRecord } from '../../shared/app-record.js';
import type { CanaryConfig, LogRotation, ReadyConfig, WarmUpConfig } from '../../shared/config.js';
import { DEFAULT_ROTATION } from '../../shared/default-rotation.js';
import type { ConfigInForce, DescribedApp, ExitSnapshot } from '../../shared/description.js';
import { inUrl } from '../../shared/http-address.js';
import type { LogSnapshot, RolloutSnapshot } from '../../shared/snapshot.js';
import { formatDuration, formatSize } from '../../shared/units.js';
import { allOnOneLine } from './on-one-line.js';
import { renderStatus } from './status.js';
import { styles } from './style.js';

/** Crashes whose last words are shown. */
const SHOWN_WORDS = 3;

type Row = [name: string, value: string];

export function renderDescription(described: DescribedApp, now: number, columns?: number): string {
  const app = allOnOneLine(described);
  const { config, exits, rollouts, record } = app;
  return [
    renderStatus([app], now, columns).trimEnd(),
    ...(record ? [section('started', recordRows(record))] : []),
    ...(config ? [section('config in force', configRows(config, app.log))] : []),
    ...(config ? [list('last exits', exitLines(exits, now), 'none')] : []),
    ...(config
      ? [
          list(
            'last rollouts',
            rollouts.map((rollout) => rolloutLine(rollout, now)),
            'none',
          ),
        ]
      : []),
  ].join('\n\n');
}

function section(title: string, rows: Row[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return list(
    title,
    rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    'nothing',
  );
}

function list(title: string, lines: string[], otherwise: string): string {
  const { bold } = styles(process.stdout);
  return [bold(title), ...(lines.length === 0 ? [otherwise] : lines).map((line) => `  ${line}`)].join('\n');
}

const words = (values: (string | number)[]): string => (values.length === 0 ? 'none' : values.join(' '));

function recordRows({ request, startedAt, daemon, logFile }: AppRecord): Row[] {
  const { configPath, only, overrides, baseDir } = request;
  return [
    ['from', configPath ?? `the command line, in ${baseDir}`],
    ...(only === undefined ? [] : [['only', only] as Row]),
    ['flags', Object.keys(overrides).length === 0 ? 'none' : JSON.stringify(overrides)],
    ['at', startedAt],
    ['as', daemon ? 'a daemon' : 'a foreground process'],
    ['log', logFile ?? 'where it was started from'],
  ];
}

function configRows(config: ConfigInForce, kept: LogSnapshot | undefined): Row[] {
  const ms = formatDuration;
  const { backoff, envNames, otherEnvNames } = config;
  return [
    ['entry', config.entry],
    ['as it was at', config.readAt],
    ['arguments', words(config.args)],
    ['node arguments', words(config.execArgv)],
    ['working folder', config.cwd],
    ['instances', String(config.instances)],
    ['ready', readyWords(config.ready)],
    ['minReady', ms(config.minReadyMs)],
    ['reload', `surge ${config.surge}, unavailable ${config.unavailable}${config.atomic ? ', atomic' : ''}`],
    ['drainTimeout', ms(config.drainTimeoutMs)],
    ['killTimeout', ms(config.killTimeoutMs)],
    ['stopTimeout', ms(config.stopTimeoutMs)],
    ['closeSpread', ms(config.closeSpreadMs)],
    ['backoff', `${ms(backoff.initialMs)} × ${backoff.factor}, up to ${ms(backoff.capMs)}`],
    ['crashLoop', `${config.crashLoop.count} in ${ms(config.crashLoop.windowMs)}`],
    ['livenessTimeout', config.livenessTimeoutMs === 0 ? 'off' : ms(config.livenessTimeoutMs)],
    ['smoke', config.smoke === null ? 'none' : `${config.smoke.run}, for up to ${ms(config.smoke.timeoutMs)}`],
    ['warmup', warmUpWords(config.warmup)],
    ['canary', canaryWords(config.canary)],
    ['soak', off(config.soakMs)],
    ['keepWarm', off(config.keepWarmMs)],
    ['recycled past', limitWords(config)],
    ['watched', watchWords(config)],
    ['maxDraining', String(config.maxDraining)],
    ['sticky', config.sticky === false ? 'no' : 'by client address'],
    ['handover', config.handover],
    ['private ports', words(config.private)],
    ...rightsRows(config),
    ['shared folders', words(config.shared)],
    ['log', kept ? logWords(kept, config.log?.rotation ?? DEFAULT_ROTATION) : 'as it comes'],
    ['http', httpWords(config.http)],
    ['releases kept', String(config.keep)],
    ['env files', words(config.envFile)],
    // Names alone: values are secrets.
    ['env', `${words(envNames)}; ${otherEnvNames.length} more from env files and the master`],
  ];
}

/** A master of an older version sends none of them. */
function rightsRows({ user, group, umask, listen }: ConfigInForce): Row[] {
  const account = [user, group].filter((one) => one !== null && one !== undefined).join(', group ');
  return [
    ['user', account || "the master's"],
    ['umask', umask ?? "the master's"],
    ['may listen on', listen ? words(listen) : (user ?? null) === null ? 'anything' : 'nothing'],
  ];
}

function readyWords({ check, deadlineMs, periodMs, timeoutMs, successes }: ReadyConfig): string {
  const within = `within ${formatDuration(deadlineMs)}`;
  if (typeof check === 'string') return `${check}, ${within}`;
  const where = `${check.protocol ?? 'http'} ${check.port === undefined ? '' : `port ${check.port} `}${check.path}`;
  return `${where}, ${successes} in a row, every ${formatDuration(periodMs)} for up to ${formatDuration(timeoutMs)}, ${within}`;
}

/** A master of an older version sends none. */
const off = (value: number | undefined): string => (value ? formatDuration(value) : 'off');

/** As {@link off}. */
function limitWords({ maxMemory, maxAgeMs, maxRequests }: ConfigInForce): string {
  const words = [
    ...(maxMemory ? [memoryWords(maxMemory)] : []),
    ...(maxAgeMs ? [formatDuration(maxAgeMs)] : []),
    ...(maxRequests ? [`${maxRequests} requests`] : []),
  ];
  return words.length === 0 ? 'no limit' : words.join(', ');
}

const memoryWords = (memory: NonNullable<ConfigInForce['maxMemory']>): string =>
  'bytes' in memory
    ? formatSize(memory.bytes)
    : `${Math.round(memory.share * 1_000) / 10} % of the memory for all of them together`;

/** As {@link off}. */
const watchWords = ({ watch }: ConfigInForce): string =>
  !watch ? 'no' : watch === true ? "the app's folder" : watch.join(', ');

/** As {@link off}. */
function httpWords(http: ConfigInForce['http'] | undefined): string {
  if (!http) return 'off';
  const { port, socket, host, token, readOnly, hosts } = http;
  return [
    socket ?? `${inUrl(host)}:${port}`,
    token === 'random' ? 'a random token' : 'the token of the config',
    ...(readOnly ? ['read-only'] : []),
    ...(hosts.length > 0 ? [`as ${hosts.join(' ')}`] : []),
  ].join(', ');
}

/** As {@link off}. */
function canaryWords(canary: CanaryConfig | null | undefined): string {
  if (!canary) return 'none';
  const steps = canary.steps.map(
    ({ weight, pauseMs }) => `${weight} % ${pauseMs === null ? 'until promoted' : `for ${formatDuration(pauseMs)}`}`,
  );
  return `${steps.join(', ')}${canary.sticky ? ', sticky' : ''}`;
}

function logWords({ files }: LogSnapshot, { maxSizeBytes, maxAgeMs, keep, compress }: LogRotation): string {
  const limits = [
    ...(maxSizeBytes === null ? [] : [`at ${formatSize(maxSizeBytes)}`]),
    ...(maxAgeMs === null ? [] : [`after ${formatDuration(maxAgeMs)}`]),
  ];
  const rotated = limits.length === 0 ? 'not rotated' : `rotated ${limits.join(' or ')}`;
  const putAside = limits.length === 0 ? '' : `, ${keep} kept${compress ? ', compressed' : ''}`;
  return `${files.join(' and ')}, ${rotated}${putAside}`;
}

/** As {@link off}. */
function warmUpWords(warmup: WarmUpConfig | null | undefined): string {
  if (!warmup) return 'none';
  const { paths, timeoutMs, required, port, protocol } = warmup;
  const where = `${protocol === undefined ? '' : `${protocol} `}${port === undefined ? '' : `port ${port} `}`;
  return `${where}${paths.join(' ')}, each for up to ${formatDuration(timeoutMs)}${required ? ', required' : ''}`;
}

const ago = (at: string, now: number): string => `${formatDuration(Math.max(0, now - Date.parse(at)))} ago`;

/** The latest crashes with what they wrote last; of the older ones --json has it. */
function exitLines(exits: ExitSnapshot[], now: number): string[] {
  const { dim } = styles(process.stdout);
  const crashes = exits.filter(({ expected }) => !expected).slice(0, SHOWN_WORDS);
  return exits.flatMap((exit) => [
    exitLine(exit, now),
    ...(crashes.includes(exit) ? exit.stderr.map((text) => dim(`  ${text}`)) : []),
  ]);
}

function exitLine({ at, slot, generation, pid, code, signal, error, expected }: ExitSnapshot, now: number): string {
  const { red } = styles(process.stdout);
  const how = error ?? (signal === null ? `exit code ${code}` : signal);
  const who = `worker ${slot} of generation ${generation}${pid === null ? '' : ` (pid ${pid})`}`;
  return `${ago(at, now)}  ${who}: ${expected ? `ended as it was told, ${how}` : red(`crashed, ${how}`)}`;
}

function rolloutLine({ startedAt, from, to, outcome, aborted, reason }: RolloutSnapshot, now: number): string {
  const { red, yellow } = styles(process.stdout);
  const move = from === null ? `start of generation ${to ?? '?'}` : `generation ${from} to ${to ?? '?'}`;
  return `${ago(startedAt, now)}  ${move}: ${outcome === 'failed' ? `${aborted ? yellow('aborted') : red('failed')}: ${reason}` : (outcome ?? 'under way')}`;
}
