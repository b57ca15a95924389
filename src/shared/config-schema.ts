/**
 * The config as people write it: checked key by key, defaults filled in, brought to {@link AppConfig}.
 * Pure. Unknown keys, wrong types and impossible combinations are refused before anything is touched.
 */
import * as v from 'valibot';
import type { AppConfig } from './config.js';
import {
  analysisKeys,
  appKeys,
  appSchema,
  backoffKeys,
  canaryKeys,
  canaryStepKeys,
  FORMS,
  httpKeys,
  logKeys,
  parseCrashLoop,
  readyKeys,
  smokeKeys,
  warmupKeys,
} from './config-keys.js';
import {
  amountOf,
  backoffOf,
  canaryOf,
  httpOf,
  isZero,
  listOf,
  logOf,
  maxMemoryOf,
  ms,
  msOrNull,
  readyOf,
  roundsToZero,
  smokeOf,
  warmupOf,
} from './config-values.js';
import { ZdsupError } from './errors.js';
import { isLoopback } from './http-address.js';
import { nearestWord } from './nearest.js';
import { counterpartOf } from './pm2-keys.js';
import { formatDuration } from './units.js';

/** Which keys an object within the config has. */
const KEYS_WITHIN: [where: RegExp, keys: object][] = [
  [/^ready\./, readyKeys],
  [/^backoff\./, backoffKeys],
  [/^smoke\./, smokeKeys],
  [/^warmup\./, warmupKeys],
  [/^log\./, logKeys],
  [/^http\./, httpKeys],
  [/^canary\.steps\.\d+\./, canaryStepKeys],
  [/^canary\.analysis\./, analysisKeys],
  [/^canary\./, canaryKeys],
];

/** Instances that no host serves sensibly: a typing error, most likely. */
const MAX_INSTANCES = 1_024;

/**
 * @param input what the config file exports, or the flags
 * @param source named in errors
 * @throws ZdsupError ZDSUP_CONFIG_INVALID with the key, the value received and what is allowed
 */
export function parseConfig(input: unknown, source: string): AppConfig[] {
  const { apps } = (typeof input === 'object' && input !== null ? input : {}) as { apps?: unknown };
  if (apps === undefined) {
    refuseUnknownKeys([[input, '']], source);
    return [parseApp(input, '', source)];
  }
  if (!Array.isArray(apps) || apps.length === 0) throw invalid(source, 'apps', apps, 'a list with at least one app');
  const other = Object.keys(input as object).find((key) => key !== 'apps');
  if (other !== undefined)
    throw invalid(
      source,
      other,
      (input as Record<string, unknown>)[other],
      "nothing beside 'apps': put it into each app",
    );
  refuseUnknownKeys(
    apps.map((app, index) => [app, `apps[${index}].`]),
    source,
  );
  const parsed = apps.map((app, index) => parseApp(app, `apps[${index}].`, source));
  for (const [index, { name }] of parsed.entries())
    if (name !== undefined && parsed.findIndex((other) => other.name === name) !== index)
      throw invalid(source, `apps[${index}].name`, name, 'a name that no other app in the file has');
  return parsed;
}

/** All of them at once: whoever brings a config of another tool should not have to ask for each. */
function refuseUnknownKeys(apps: [app: unknown, prefix: string][], source: string): void {
  const unknown = apps.flatMap(([app, prefix]) =>
    typeof app !== 'object' || app === null || Array.isArray(app)
      ? []
      : Object.keys(app)
          .filter((key) => !Object.hasOwn(appKeys, key))
          .map((key) => ({ key, path: prefix + key })),
  );
  if (unknown.length > 0) throw unknownKeys(unknown, appKeys, source);
}

/** Of keys that are given apart from a config. @param prefix of their names, in the error */
export const refuseUnknownKeysOf = (keys: Record<string, unknown>, prefix: string, source: string): void =>
  refuseUnknownKeys([[keys, prefix]], source);

function unknownKeys(unknown: { key: string; path: string }[], known: object, source: string): ZdsupError {
  const keys = [...new Set(unknown.map(({ key }) => key))];
  const knownKeys = `known keys: ${Object.keys(known).join(', ')}`;
  const hints = keys.flatMap((key) => {
    const counterpart = known === appKeys ? counterpartOf(key) : undefined;
    if (counterpart !== undefined) return [`${key} of PM2: ${counterpart}`];
    const near = nearestWord(key, Object.keys(known));
    if (near === undefined) return [];
    return [keys.length === 1 ? `did you mean ${near}?` : `${key}: did you mean ${near}?`];
  });
  return new ZdsupError({
    code: 'ZDSUP_CONFIG_INVALID',
    message: `${source}: unknown ${unknown.length === 1 ? 'key' : 'keys'} ${unknown.map(({ path }) => path).join(', ')}`,
    hint: [...hints, ...(hints.length < keys.length ? [knownKeys] : [])].join('; '),
    exitStatus: 2,
  });
}

function parseApp(input: unknown, prefix: string, source: string): AppConfig {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw invalid(
      source,
      prefix === '' ? 'the config' : prefix.slice(0, -1),
      input,
      'an object with at least a script',
    );
  const result = v.safeParse(appSchema, input);
  if (!result.success) throw fromIssue(result.issues[0], prefix, source);
  return normalise(result.output, prefix, source);
}

function normalise(app: v.InferOutput<typeof appSchema>, prefix: string, source: string): AppConfig {
  const instances = app.instances ?? 1;
  const surge = amountOf(app.surge ?? '25%');
  const unavailable = amountOf(app.unavailable ?? 0);
  if (typeof instances === 'number' && instances > MAX_INSTANCES)
    throw invalid(source, `${prefix}instances`, instances, `at most ${MAX_INSTANCES}`);
  if (isZero(surge) && (isZero(unavailable) || (typeof instances === 'number' && roundsToZero(unavailable, instances))))
    throw new ZdsupError({
      code: 'ZDSUP_CONFIG_INVALID',
      message: `${source}: ${prefix}surge and ${prefix}unavailable are both 0 for ${instances} ${instances === 1 ? 'instance' : 'instances'}: a reload could neither add a worker nor take one away`,
      hint: `set ${prefix}surge to at least 1`,
      exitStatus: 2,
    });
  const readiness = readyOf(app.ready);
  const watch = app.watch ?? false;
  // Whoever saves a file looks at what comes of it.
  const minReadyMs = ms(app.minReady, watch === false ? 1_000 : 250);
  if (minReadyMs >= readiness.deadlineMs)
    throw invalid(
      source,
      `${prefix}minReady`,
      app.minReady ?? '1s',
      `less than ready.deadline, which is ${formatDuration(readiness.deadlineMs)}`,
    );
  const killTimeoutMs = ms(app.killTimeout, 5_000);
  const stopTimeoutMs = ms(app.stopTimeout, 25_000);
  if (stopTimeoutMs <= killTimeoutMs && killTimeoutMs > 0)
    throw invalid(
      source,
      `${prefix}stopTimeout`,
      app.stopTimeout ?? '25s',
      `more than killTimeout, which is its end part (${formatDuration(killTimeoutMs)})`,
    );
  return {
    ...(app.name === undefined ? {} : { name: app.name }),
    ...(app.cwd === undefined ? {} : { cwd: app.cwd }),
    script: app.script,
    args: listOf(app.args),
    nodeArgs: listOf(app.nodeArgs),
    env: Object.fromEntries(Object.entries(app.env ?? {}).map(([key, value]) => [key, String(value)])),
    envFile: typeof app.envFile === 'string' ? [app.envFile] : (app.envFile ?? []),
    instances,
    ready: readiness,
    minReadyMs,
    surge,
    unavailable,
    atomic: app.atomic ?? false,
    drainTimeoutMs: ms(app.drainTimeout, 30_000),
    killTimeoutMs,
    stopTimeoutMs,
    closeSpreadMs: ms(app.closeSpread, 5_000),
    backoff: backoffOf(app.backoff),
    crashLoop: parseCrashLoop(app.crashLoop ?? '5 in 60s')!,
    livenessTimeoutMs: ms(app.livenessTimeout, 30_000),
    smoke: smokeOf(app.smoke),
    warmup: warmupOf(app.warmup),
    canary: canaryOf(app.canary),
    soakMs: ms(app.soak, 30_000),
    keepWarmMs: ms(app.keepWarm, 0),
    maxMemory: maxMemoryOf(app.maxMemory),
    maxAgeMs: msOrNull(app.maxAge),
    maxRequests: app.maxRequests ?? null,
    watch: Array.isArray(watch) && watch.length === 0 ? false : watch,
    watchIgnore: app.watchIgnore ?? [],
    maxDraining: app.maxDraining ?? 2,
    sticky: app.sticky ?? false,
    handover: app.handover ?? 'auto',
    private: app.private ?? [],
    user: app.user ?? null,
    group: groupOf(app, prefix, source),
    umask: app.umask === undefined ? null : app.umask.padStart(4, '0'),
    listen: app.listen === undefined ? null : app.listen.map(String),
    log: logOf(app.log),
    keep: app.keep ?? 5,
    shared: sharedOf(app.shared ?? [], prefix, source),
    http: httpIn(app, prefix, source),
  };
}

/** Beyond this host a token of the user's own stands before it: a random one would be handed round, and never changed. */
function httpIn(app: v.InferOutput<typeof appSchema>, prefix: string, source: string): AppConfig['http'] {
  const http = httpOf(app.http);
  if (http === null) return null;
  const refused = (key: string, received: unknown, allows: string): ZdsupError =>
    invalid(source, `${prefix}http${key}`, received, allows);
  const { port, socket, host, token } = http;
  if ((port === null) === (socket === null))
    throw new ZdsupError({
      code: 'ZDSUP_CONFIG_INVALID',
      message: `${source}: ${prefix}http ${port === null ? "has neither 'port' nor 'socket'" : "has both, 'port' and 'socket'"}`,
      hint: "allowed: one of the two, such as {port: 9000} or {socket: 'zdsup.sock'}",
      exitStatus: 2,
    });
  const given = typeof app.http === 'object' ? app.http.host : undefined;
  if (socket !== null && given !== undefined)
    throw refused('.host', given, "nothing beside 'socket': it is for a port");
  if (socket === null && token === null && !isLoopback(host))
    throw refused(
      '.host',
      host,
      'an address of this host alone (127.0.0.1, ::1, localhost); beyond it, set http.token',
    );
  return http;
}

function groupOf({ user, group }: v.InferOutput<typeof appSchema>, prefix: string, source: string): AppConfig['group'] {
  if (group === undefined || user !== undefined) return group ?? null;
  throw invalid(source, `${prefix}group`, group, 'a group beside a user: set user too');
}

/** Sorted, each once: their order says nothing. */
function sharedOf(paths: string[], prefix: string, source: string): string[] {
  const sorted = [...new Set(paths)].sort();
  const inner = sorted.find((path) => sorted.some((other) => path.startsWith(`${other}/`)));
  if (inner === undefined) return sorted;
  throw invalid(source, `${prefix}shared`, inner, 'folders of which none lies in another one of the list');
}

function fromIssue(issue: v.BaseIssue<unknown>, prefix: string, source: string): ZdsupError {
  const deepest = deepestIssue(issue);
  const path = [...(issue.path ?? []), ...(deepest === issue ? [] : (deepest.path ?? []))]
    .map((item) => String(item.key))
    .join('.');
  if (deepest.type === 'strict_object' && deepest.expected === 'never') {
    const key = path.split('.').at(-1)!;
    const known = KEYS_WITHIN.find(([where]) => where.test(path))?.[1] ?? appKeys;
    return unknownKeys([{ key, path: prefix + path }], known, source);
  }
  if (path === 'script' && issue.input === undefined)
    return new ZdsupError({
      code: 'ZDSUP_CONFIG_INVALID',
      message: `${source}: ${prefix}script is missing`,
      hint: "name the script to run: script: 'app.js'",
      exitStatus: 2,
    });
  const custom = deepest.message.startsWith('Invalid') ? FORMS[path.replaceAll(/\.\d+/g, '')] : deepest.message;
  return invalid(source, `${prefix}${path}`, deepest.input, custom ?? deepest.expected ?? 'another value');
}

/** Of a union, the branch that got furthest says what is wrong. */
function deepestIssue(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  if (issue.type !== 'union') return issue;
  const inner = (issue.issues ?? []).find(
    (candidate) =>
      candidate.path !== undefined || (candidate.type === 'strict_object' && candidate.expected === 'never'),
  );
  return inner ?? issue;
}

/** Values of the environment are, and a token, wherever it is shown along. */
const isSecret = (key: string, received: unknown): boolean =>
  /(^|\.)env(\.|$)|(^|\.)http\.token$/.test(key) || (/(^|\.)http$/.test(key) && typeof received === 'object');

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string' && value.includes('\0')) return 'a string with a NUL byte';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function invalid(source: string, key: string, received: unknown, allows: string): ZdsupError {
  const shown =
    received === undefined
      ? 'nothing'
      : isSecret(key, received)
        ? kindOf(received)
        : (JSON.stringify(received) ?? String(received));
  return new ZdsupError({
    code: 'ZDSUP_CONFIG_INVALID',
    message: `${source}: ${key} is ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}`,
    hint: `allowed: ${allows}`,
    exitStatus: 2,
  });
}
