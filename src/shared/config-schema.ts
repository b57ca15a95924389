/**
 * The config as people write it: checked key by key, defaults filled in, brought to {@link AppConfig}.
 * Pure. Unknown keys, wrong types and impossible combinations are refused before anything is touched.
 */
import * as v from 'valibot';
import { isAppName } from './app-name.js';
import type { Amount, AppConfig, BackoffConfig, HttpCheck, ReadyConfig } from './config.js';
import { ZdsupError } from './errors.js';
import { nearestWord } from './nearest.js';
import { counterpartOf } from './pm2-keys.js';
import { formatDuration, parseDuration } from './units.js';

const allowed = (text: string) => text;

const duration = (text = "a duration: '30s', '500ms', '2m', or a number of ms") =>
  v.pipe(
    v.union([v.string(), v.number()], allowed(text)),
    v.check((value) => parseDuration(value) !== null, allowed(text)),
  );
const count = (least: number, text: string) => v.pipe(v.number(text), v.integer(text), v.minValue(least, text));
const text = (what: string) => v.string(allowed(what));
const strings = (what: string) => v.union([v.string(), v.array(v.string('a string'))], allowed(what));

const AMOUNT = "a whole number of workers from 0, or a percentage such as '25%'";
const amount = v.union(
  [
    count(0, AMOUNT),
    v.pipe(
      v.string(),
      v.check((value) => /^\d{1,3}%$/.test(value) && Number.parseInt(value, 10) <= 100),
    ),
  ],
  AMOUNT,
);

const port = (what: string) => v.pipe(v.number(what), v.integer(what), v.minValue(1, what), v.maxValue(65_535, what));
const PORT = 'a port from 1 to 65535';

const readyKeys = {
  on: v.optional(v.picklist(['listening', 'message'], "'listening' or 'message'")),
  path: v.optional(v.pipe(v.string("a path such as '/healthz'"), v.startsWith('/', "a path that starts with '/'"))),
  port: v.optional(port(PORT)),
  protocol: v.optional(v.picklist(['http', 'https'], "'http' or 'https'")),
  host: v.optional(text('a host name')),
  initialDelay: v.optional(duration()),
  period: v.optional(duration()),
  timeout: v.optional(duration()),
  successes: v.optional(count(1, 'a whole number from 1')),
  deadline: v.optional(duration()),
};
const ready = v.union([v.picklist(['listening', 'message']), v.strictObject(readyKeys)]);

const backoffKeys = {
  initial: v.optional(duration()),
  factor: v.optional(v.pipe(v.number('a number from 1'), v.minValue(1, 'a number from 1'))),
  cap: v.optional(duration()),
  jitter: v.optional(
    v.pipe(
      v.number('a number from 0 to 1'),
      v.minValue(0, 'a number from 0 to 1'),
      v.maxValue(1, 'a number from 0 to 1'),
    ),
  ),
  resetAfter: v.optional(duration()),
};

const CRASH_LOOP = "crashes within a time, such as '5 in 60s'";
const crashLoop = v.pipe(
  v.string(CRASH_LOOP),
  v.check((value) => parseCrashLoop(value) !== null, CRASH_LOOP),
);

const SMOKE = "a shell command, or an object such as {run: 'npm run smoke', timeout: '60s'}";
const COMMAND = "a shell command such as 'npm run smoke'";
const smokeKeys = {
  run: v.pipe(v.string(COMMAND), v.nonEmpty(COMMAND)),
  timeout: v.optional(duration()),
};

const WARMUP = "a list of paths such as ['/', '/products'], or an object such as {paths: ['/'], timeout: '5s'}";
const PATHS = "a list of paths such as ['/', '/products']";
/** What Node takes as the target of a request. */
const WARMUP_PATH = "a path that starts with '/', with spaces and letters beyond ASCII percent-encoded";
const ABOVE_0 = "a duration above 0: '5s', '500ms', or a number of ms";
const warmupPaths = v.array(
  v.pipe(
    v.string(WARMUP_PATH),
    v.check((value) => /^\/[\x21-\x7e]*$/.test(value), WARMUP_PATH),
  ),
  PATHS,
);
const warmupKeys = {
  paths: warmupPaths,
  timeout: v.optional(
    v.pipe(
      duration(ABOVE_0),
      v.check((value) => parseDuration(value) !== 0, ABOVE_0),
    ),
  ),
  required: v.optional(v.boolean('true or false')),
  port: v.optional(port(PORT)),
  host: v.optional(text('a host name')),
  protocol: v.optional(v.picklist(['http', 'https'], "'http' or 'https'")),
};

const NAME = "a name: a lower-case letter, then letters, digits, dot, dash or underscore, at most 63 in all; not 'all'";
const INSTANCES = "a whole number from 1, or 'max' (one for each CPU)";

const STICKY = "'ip' (a client's connections go to one worker, by its address), or false";

const appKeys = {
  name: v.optional(v.pipe(v.string(NAME), v.check(isAppName, NAME))),
  script: v.pipe(v.string('the path of the script to run'), v.nonEmpty('the path of the script to run')),
  args: v.optional(strings('a list of strings')),
  nodeArgs: v.optional(strings('a list of strings')),
  cwd: v.optional(text('the path of a folder')),
  env: v.optional(
    v.record(
      v.string(),
      v.union([v.string(), v.number(), v.boolean()], 'a string, a number or a boolean'),
      'an object of variables',
    ),
  ),
  envFile: v.optional(strings('the path of an env file, or a list of them')),
  instances: v.optional(v.union([v.literal('max'), count(1, INSTANCES)], INSTANCES)),
  ready: v.optional(ready),
  minReady: v.optional(duration()),
  surge: v.optional(amount),
  unavailable: v.optional(amount),
  atomic: v.optional(v.boolean('true or false')),
  drainTimeout: v.optional(duration()),
  killTimeout: v.optional(duration()),
  stopTimeout: v.optional(duration()),
  closeSpread: v.optional(duration()),
  backoff: v.optional(v.union([duration(), v.strictObject(backoffKeys)])),
  crashLoop: v.optional(crashLoop),
  livenessTimeout: v.optional(duration()),
  smoke: v.optional(v.union([v.pipe(v.string(), v.nonEmpty()), v.strictObject(smokeKeys)], SMOKE)),
  warmup: v.optional(v.union([warmupPaths, v.strictObject(warmupKeys)], WARMUP)),
  maxDraining: v.optional(count(1, 'a whole number from 1')),
  sticky: v.optional(v.union([v.literal('ip'), v.literal(false)], STICKY)),
  handover: v.optional(v.picklist(['auto', 'off'], "'auto' or 'off'")),
  private: v.optional(v.array(port(PORT), 'a list of ports')),
};

const appSchema = v.strictObject(appKeys);

/** Keys of one app's config. */
export const CONFIG_KEYS: readonly string[] = Object.keys(appKeys);

/** What `defineConfig` takes for one app. */
export type AppConfigInput = v.InferInput<typeof appSchema>;
export type ConfigInput = AppConfigInput | { apps: AppConfigInput[] };

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
  const minReadyMs = ms(app.minReady, 1_000);
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
    maxDraining: app.maxDraining ?? 2,
    sticky: app.sticky ?? false,
    handover: app.handover ?? 'auto',
    private: app.private ?? [],
  };
}

const ms = (value: string | number | undefined, byDefault: number): number =>
  value === undefined ? byDefault : (parseDuration(value) ?? byDefault);

/** A string is split at spaces, as a shell would without quotes. */
const listOf = (value: string | string[] | undefined): string[] =>
  typeof value === 'string' ? value.split(/\s+/).filter(Boolean) : (value ?? []);

const amountOf = (value: string | number): Amount =>
  typeof value === 'number' ? { count: value } : { percent: Number.parseInt(value, 10) };
const isZero = (value: Amount): boolean => ('count' in value ? value.count : value.percent) === 0;
const roundsToZero = (value: Amount, instances: number): boolean =>
  'percent' in value && Math.floor((value.percent * instances) / 100) === 0;

function readyOf(input: v.InferOutput<typeof ready> | undefined): ReadyConfig {
  const given = typeof input === 'string' ? { on: input } : (input ?? {});
  const { path } = given;
  const http = path === undefined ? undefined : { path, ...addressOf(given) };
  return {
    check: http ?? given.on ?? 'listening',
    initialDelayMs: ms(given.initialDelay, 0),
    periodMs: ms(given.period, 1_000),
    timeoutMs: ms(given.timeout, 1_000),
    successes: given.successes ?? 1,
    deadlineMs: ms(given.deadline, 60_000),
  };
}

interface RequestAddress {
  port?: number | undefined;
  protocol?: 'http' | 'https' | undefined;
  host?: string | undefined;
}

/** Of a request, what was given. */
const addressOf = ({ port: given, protocol, host }: RequestAddress): Omit<HttpCheck, 'path'> => ({
  ...(given ? { port: given } : {}),
  ...(protocol ? { protocol } : {}),
  ...(host ? { host } : {}),
});

function backoffOf(input: AppConfigInput['backoff']): BackoffConfig {
  const given = typeof input === 'object' ? input : { initial: input };
  return {
    initialMs: ms(given.initial, 100),
    factor: given.factor ?? 2,
    capMs: ms(given.cap, 30_000),
    jitter: given.jitter ?? 0.2,
    resetAfterMs: ms(given.resetAfter, 60_000),
  };
}

/** `5 in 60s`: a count from 1 and a duration above 0. */
function parseCrashLoop(value: string): AppConfig['crashLoop'] | null {
  const [, digits, within] = /^(\d{1,3}) in (\S+)$/.exec(value) ?? [];
  const windowMs = within === undefined ? null : parseDuration(within);
  const crashes = Number(digits);
  return windowMs === null || windowMs === 0 || crashes < 1 ? null : { count: crashes, windowMs };
}

function smokeOf(input: AppConfigInput['smoke']): AppConfig['smoke'] {
  if (input === undefined) return null;
  const given = typeof input === 'string' ? { run: input } : input;
  return { run: given.run, timeoutMs: ms(given.timeout, 60_000) };
}

/** No path, as a list that is put together may come to: no warm-up. */
function warmupOf(input: AppConfigInput['warmup']): AppConfig['warmup'] {
  if (input === undefined) return null;
  const given = Array.isArray(input) ? { paths: input } : input;
  const { paths, timeout, required = false } = given;
  return paths.length === 0 ? null : { paths, timeoutMs: ms(timeout, 5_000), required, ...addressOf(given) };
}

function fromIssue(issue: v.BaseIssue<unknown>, prefix: string, source: string): ZdsupError {
  const deepest = deepestIssue(issue);
  const path = [...(issue.path ?? []), ...(deepest === issue ? [] : (deepest.path ?? []))]
    .map((item) => String(item.key))
    .join('.');
  if (deepest.type === 'strict_object' && deepest.expected === 'never') {
    const key = path.split('.').at(-1)!;
    const known = path.startsWith('ready.')
      ? readyKeys
      : path.startsWith('backoff.')
        ? backoffKeys
        : path.startsWith('smoke.')
          ? smokeKeys
          : path.startsWith('warmup.')
            ? warmupKeys
            : appKeys;
    return unknownKeys([{ key, path: prefix + path }], known, source);
  }
  if (path === 'script' && issue.input === undefined)
    return new ZdsupError({
      code: 'ZDSUP_CONFIG_INVALID',
      message: `${source}: ${prefix}script is missing`,
      hint: "name the script to run: script: 'app.js'",
      exitStatus: 2,
    });
  const custom = deepest.message.startsWith('Invalid') ? READY_FORMS[path] : deepest.message;
  return invalid(source, `${prefix}${path}`, deepest.input, custom ?? deepest.expected ?? 'another value');
}

const READY_FORMS: Record<string, string> = {
  ready: "'listening', 'message', or an object such as {path: '/healthz'}",
  backoff: 'a duration or an object with initial, factor, cap, jitter, resetAfter',
  smoke: SMOKE,
  'smoke.run': COMMAND,
  warmup: WARMUP,
  'warmup.paths': PATHS,
  surge: AMOUNT,
  unavailable: AMOUNT,
};

/** Of a union, the branch that got furthest says what is wrong. */
function deepestIssue(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  if (issue.type !== 'union') return issue;
  const inner = (issue.issues ?? []).find(
    (candidate) =>
      candidate.path !== undefined || (candidate.type === 'strict_object' && candidate.expected === 'never'),
  );
  return inner ?? issue;
}

function invalid(source: string, key: string, received: unknown, allows: string): ZdsupError {
  const shown = received === undefined ? 'nothing' : (JSON.stringify(received) ?? String(received));
  return new ZdsupError({
    code: 'ZDSUP_CONFIG_INVALID',
    message: `${source}: ${key} is ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}`,
    hint: `allowed: ${allows}`,
    exitStatus: 2,
  });
}
