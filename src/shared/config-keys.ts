/**
 * The keys of the config as people write it: which there are, and what each takes. Pure.
 */
import * as v from 'valibot';
import { isAppName } from './app-name.js';
import type { AppConfig } from './config.js';
import { isAddress } from './http-address.js';
import { parseListenAddress } from './listen-address.js';
import { parseDuration, parseShare, parseSize } from './units.js';

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

export const readyKeys = {
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
export const ready = v.union([v.picklist(['listening', 'message']), v.strictObject(readyKeys)]);

export const backoffKeys = {
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
export const smokeKeys = {
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
export const warmupKeys = {
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

const CANARY = "an object such as {steps: [{weight: 5, pause: '60s'}, {weight: 50, pause: true}]}";
const STEPS = "a list of at least one step such as {weight: 5, pause: '60s'}, with weights that rise, from 1 to 99";
const WEIGHT = 'a whole percentage from 1 to 99';
const PAUSE = "a duration such as '60s', or true (until zdsup promote)";
const RATE = "a share such as '1%', or a number from 0 to 1";
const TOLERANCE = "a share such as '20%', or a number such as 0.2";
const share = (what: string, most: number) =>
  v.pipe(
    v.union([v.string(), v.number()], what),
    v.check((value) => (parseShare(value) ?? Number.POSITIVE_INFINITY) <= most, what),
  );
export const canaryStepKeys = {
  weight: v.pipe(v.number(WEIGHT), v.integer(WEIGHT), v.minValue(1, WEIGHT), v.maxValue(99, WEIGHT)),
  pause: v.optional(
    v.pipe(
      v.union([v.literal(true), v.string(), v.number()], PAUSE),
      v.check((value) => value === true || parseDuration(value) !== null, PAUSE),
    ),
  ),
};
export const analysisKeys = {
  minRequests: v.optional(count(1, 'a whole number from 1')),
  maxErrorRate: v.optional(share(RATE, 1)),
  maxP99: v.optional(
    v.pipe(
      duration(ABOVE_0),
      v.check((value) => parseDuration(value) !== 0, ABOVE_0),
    ),
  ),
  maxRestarts: v.optional(count(0, 'a whole number from 0')),
  tolerance: v.optional(share(TOLERANCE, 100)),
  errorTolerance: v.optional(share(RATE, 1)),
  latencyTolerance: v.optional(duration()),
  inconclusive: v.optional(v.picklist(['wait', 'pause'], "'wait' (for more traffic) or 'pause' (until a person acts)")),
};
const ANALYSIS = "an object such as {maxErrorRate: '1%', maxP99: '500ms'}";
export const canaryKeys = {
  steps: v.pipe(
    v.array(v.strictObject(canaryStepKeys), STEPS),
    v.minLength(1, STEPS),
    v.check((steps) => steps.every(({ weight }, index) => weight > (steps[index - 1]?.weight ?? 0)), STEPS),
  ),
  sticky: v.optional(v.boolean('true or false')),
  analysis: v.optional(v.strictObject(analysisKeys)),
};
const LOG = "an object such as {out: 'logs/api.log', maxSize: '50mb', keep: 10}";
const LOG_FILE = 'the path of a file';
const SIZE_OF_LOG = "a size of at least 1kb: '50mb', '1gb', or a number of bytes";
const AGE_OF_LOG = "a duration above 0: '24h', '30m', or a number of ms; left out, no log is put aside for its age";
export const logKeys = {
  out: v.optional(v.pipe(v.string(LOG_FILE), v.nonEmpty(LOG_FILE))),
  error: v.optional(v.pipe(v.string(LOG_FILE), v.nonEmpty(LOG_FILE))),
  maxSize: v.optional(
    v.pipe(
      v.union([v.string(), v.number()], SIZE_OF_LOG),
      v.check((value) => (parseSize(value) ?? 0) >= 1_024, SIZE_OF_LOG),
    ),
  ),
  maxAge: v.optional(
    v.pipe(
      duration(AGE_OF_LOG),
      v.check((value) => parseDuration(value) !== 0, AGE_OF_LOG),
    ),
  ),
  keep: v.optional(count(0, 'a whole number of rotated files from 0')),
  compress: v.optional(v.boolean('true or false')),
  rotate: v.optional(v.boolean('true or false (logrotate does it)')),
};
const SHARED = "a list of folders in the app's own, such as ['uploads', '.cache']";
/** Relative and below the folder, spelt in the one way that a path has. */
const isInside = (path: string): boolean => path.split('/').every((part) => !['', '.', '..'].includes(part));

const ENV_VALUE = 'a string without NUL bytes, a number or a boolean';
const USER = "the name of a user of this host, such as 'www-data', or a number from 0";
const GROUP = "the name of a group of this host, such as 'www-data', or a number from 0";
/** As useradd and groupadd have it; directory servers add `@` and upper case. */
const isAccountName = (value: string): boolean => /^[A-Za-z_][A-Za-z0-9_.@-]*\$?$/.test(value);
const account = (what: string) =>
  v.union(
    [
      v.pipe(count(0, what), v.maxValue(MAX_ID, what)),
      v.pipe(
        v.string(what),
        v.check((value) => isAccountName(value), what),
      ),
    ],
    what,
  );
/** Node takes no greater one (uid_t goes on to 2³²−2). */
const MAX_ID = 2 ** 31 - 1;
const UMASK = "octal digits in quotes, such as '027'";
const LISTEN =
  "a list of ports, 'host:port' (addresses, or localhost) and absolute paths of unix sockets, such as [80, '[::1]:9000', '/run/shop/app.sock']";

const NAME = "a name: a lower-case letter, then letters, digits, dot, dash or underscore, at most 63 in all; not 'all'";
const INSTANCES = "a whole number from 1, or 'max' (one for each CPU)";

const MEMORY =
  "a size of at least 16mb (no Node process is smaller), such as '512mb', or a share of the memory limit for all workers together, such as '80%'";
const LEAST_MEMORY = 16 * 2 ** 20;
const maxMemory = v.pipe(
  v.union([v.string(), v.number()], MEMORY),
  v.check((value) => isShareUpTo1(value) || (parseSize(value) ?? 0) >= LEAST_MEMORY, MEMORY),
);
/** A percentage: of numbers, only those of bytes are meant. */
const isShareUpTo1 = (value: string | number): boolean => {
  const share = typeof value === 'string' ? parseShare(value) : null;
  return share !== null && share > 0 && share <= 1;
};
const AGE = "a duration of at least 1s: '24h', '30m', or a number of ms";
/** A worker takes longer than that to boot and to be replaced. */
const age = v.pipe(
  duration(AGE),
  v.check((value) => (parseDuration(value) ?? 0) >= 1_000, AGE),
);
const WATCH = "true (the app's folder), false, or a list of files and folders such as ['src', 'views']";
const WATCH_IGNORE = "a list of names, paths or patterns such as ['uploads', '*.sqlite', 'data/**']";

const HTTP =
  "a port such as 9000, false (off), or an object such as {port: 9000, readOnly: true} or {socket: 'zdsup.sock'}";
const HTTP_HOST = "an address such as '127.0.0.1', or 'localhost'";
const TOKEN = 'a string of 16 to 256 letters, digits and - . _ ~';
const HOSTS = "a list of names such as ['dash.example.com', 'web1:9000']";
export const httpKeys = {
  port: v.optional(port(PORT)),
  socket: v.optional(v.pipe(v.string('the path of a unix socket'), v.nonEmpty('the path of a unix socket'))),
  host: v.optional(
    v.pipe(
      v.string(HTTP_HOST),
      v.check((value) => isAddress(value), HTTP_HOST),
    ),
  ),
  token: v.optional(v.pipe(v.string(TOKEN), v.regex(/^[A-Za-z0-9._~-]{16,256}$/, TOKEN))),
  readOnly: v.optional(v.boolean('true or false')),
  hosts: v.optional(
    v.array(v.pipe(v.string(HOSTS), v.regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9]\d{0,4})?$/i, HOSTS)), HOSTS),
  ),
};

const STICKY = "'ip' (a client's connections go to one worker, by its address), or false";

export const appKeys = {
  name: v.optional(v.pipe(v.string(NAME), v.check(isAppName, NAME))),
  script: v.pipe(v.string('the path of the script to run'), v.nonEmpty('the path of the script to run')),
  args: v.optional(strings('a list of strings')),
  nodeArgs: v.optional(strings('a list of strings')),
  cwd: v.optional(text('the path of a folder')),
  env: v.optional(
    v.record(
      v.string(),
      v.union(
        [
          v.pipe(
            v.string(),
            // Node would print the whole value with its refusal.
            v.check((value) => !value.includes('\0'), ENV_VALUE),
          ),
          v.number(),
          v.boolean(),
        ],
        ENV_VALUE,
      ),
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
  canary: v.optional(v.strictObject(canaryKeys)),
  soak: v.optional(duration()),
  keepWarm: v.optional(duration()),
  maxMemory: v.optional(maxMemory),
  maxAge: v.optional(age),
  maxRequests: v.optional(count(1, 'a whole number from 1')),
  watch: v.optional(v.union([v.boolean(), v.array(v.pipe(v.string(), v.nonEmpty()))], WATCH)),
  watchIgnore: v.optional(v.array(v.pipe(v.string(WATCH_IGNORE), v.nonEmpty(WATCH_IGNORE)), WATCH_IGNORE)),
  maxDraining: v.optional(count(1, 'a whole number from 1')),
  sticky: v.optional(v.union([v.literal('ip'), v.literal(false)], STICKY)),
  handover: v.optional(v.picklist(['auto', 'off'], "'auto' or 'off'")),
  private: v.optional(v.array(port(PORT), 'a list of ports')),
  user: v.optional(account(USER)),
  group: v.optional(account(GROUP)),
  umask: v.optional(
    v.pipe(
      v.string(UMASK),
      v.check((value) => /^0?[0-7]{3}$/.test(value), UMASK),
    ),
  ),
  listen: v.optional(
    v.array(
      v.pipe(
        v.union([v.string(), v.number()], LISTEN),
        v.check((value) => parseListenAddress(value) !== null, LISTEN),
      ),
      LISTEN,
    ),
  ),
  log: v.optional(v.strictObject(logKeys)),
  keep: v.optional(count(1, 'a whole number of releases from 1')),
  shared: v.optional(
    v.array(
      v.pipe(
        v.string(SHARED),
        v.check((path) => isInside(path), SHARED),
      ),
      SHARED,
    ),
  ),
  http: v.optional(v.union([port(HTTP), v.literal(false), v.strictObject(httpKeys)], HTTP)),
};

export const appSchema = v.strictObject(appKeys);

/** Keys of one app's config. */
export const CONFIG_KEYS: readonly string[] = Object.keys(appKeys);

/** What `defineConfig` takes for one app. */
export type AppConfigInput = v.InferInput<typeof appSchema>;
export type ConfigInput = AppConfigInput | { apps: AppConfigInput[] };

/** `5 in 60s`: a count from 1 and a duration above 0. */
export function parseCrashLoop(value: string): AppConfig['crashLoop'] | null {
  const [, digits, within] = /^(\d{1,3}) in (\S+)$/.exec(value) ?? [];
  const windowMs = within === undefined ? null : parseDuration(within);
  const crashes = Number(digits);
  return windowMs === null || windowMs === 0 || crashes < 1 ? null : { count: crashes, windowMs };
}

/** What a key takes, where its own words would not say it. */
export const FORMS: Record<string, string> = {
  ready: "'listening', 'message', or an object such as {path: '/healthz'}",
  backoff: 'a duration or an object with initial, factor, cap, jitter, resetAfter',
  smoke: SMOKE,
  'smoke.run': COMMAND,
  warmup: WARMUP,
  'warmup.paths': PATHS,
  canary: CANARY,
  'canary.steps': STEPS,
  'canary.steps.weight': WEIGHT,
  'canary.analysis': ANALYSIS,
  log: LOG,
  http: HTTP,
  watch: WATCH,
  surge: AMOUNT,
  unavailable: AMOUNT,
  user: USER,
  group: GROUP,
  listen: LISTEN,
};
