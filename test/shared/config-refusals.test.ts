/** Every refusal names the key, the value received and what is allowed, and is exit status 2. */
import { describe, expect, test } from 'vitest';
import { CONFIG_KEYS } from '../../src/shared/config-keys.js';
import { parseConfig } from '../../src/shared/config-schema.js';
import type { ErrorReport } from '../../src/shared/errors.js';
import { toReport } from '../../src/shared/errors.js';
import { counterpartOf, PM2_KEYS } from '../../src/shared/pm2-keys.js';

function refusal(input: unknown): ErrorReport {
  try {
    parseConfig(input, 'zdsup.config.js');
  } catch (error) {
    const report = toReport(error);
    expect(report).toMatchObject({ code: 'ZDSUP_CONFIG_INVALID', exitStatus: 2 });
    expect(report.message).toMatch(/^zdsup\.config\.js: /);
    return report;
  }
  throw new Error(`${JSON.stringify(input)} was accepted`);
}
const refusalOf = (keys: object): ErrorReport => refusal({ script: 'app.js', ...keys });

const DURATION = "allowed: a duration: '30s', '500ms', '2m', or a number of ms";
const MEMORY =
  "allowed: a size such as '512mb', or a share of the memory limit for all workers together, such as '80%'";
const WATCH = "allowed: true (the app's folder), false, or a list of files and folders such as ['src', 'views']";
const WATCH_IGNORE = "allowed: a list of names, paths or patterns such as ['uploads', '*.sqlite', 'data/**']";
const AMOUNT = "allowed: a whole number of workers from 0, or a percentage such as '25%'";
const INSTANCES = "allowed: a whole number from 1, or 'max' (one for each CPU)";
const USER = "allowed: the name of a user of this host, such as 'www-data', or a number from 0";
const LISTEN =
  "allowed: a list of ports, 'host:port' (addresses, or localhost) and absolute paths of unix sockets, such as [80, '[::1]:9000', '/run/shop/app.sock']";
const PORT = 'allowed: a port from 1 to 65535';
const WARMUP =
  "allowed: a list of paths such as ['/', '/products'], or an object such as {paths: ['/'], timeout: '5s'}";
const WARMUP_PATH = "allowed: a path that starts with '/', with spaces and letters beyond ASCII percent-encoded";
const CANARY = "allowed: an object such as {steps: [{weight: 5, pause: '60s'}, {weight: 50, pause: true}]}";
const STEPS =
  "allowed: a list of at least one step such as {weight: 5, pause: '60s'}, with weights that rise, from 1 to 99";
const WEIGHT = 'allowed: a whole percentage from 1 to 99';
const PAUSE = "allowed: a duration such as '60s', or true (until zdsup promote)";
const RATE = "allowed: a share such as '1%', or a number from 0 to 1";
const ABOVE_0 = "allowed: a duration above 0: '5s', '500ms', or a number of ms";
const NAME =
  /^allowed: a name: a lower-case letter, then letters, digits, dot, dash or underscore, at most 63 in all; not 'all'$/;

describe('a key that does not exist is refused', () => {
  test.for([
    ['instance', 'instances'],
    ['enviroment', undefined],
    ['scirpt', 'script'],
    ['drainTimeOut', 'drainTimeout'],
    ['minready', 'minReady'],
  ] as const)('%s: did you mean %s?', ([key, meant]) => {
    const { message, hint } = refusalOf({ [key]: 1 });
    expect(message).toBe(`zdsup.config.js: unknown key ${key}`);
    if (meant === undefined)
      expect(hint).toMatch(
        /^known keys: name, script, args, .*private, user, group, umask, listen, log, keep, shared, http$/,
      );
    else expect(hint).toBe(`did you mean ${meant}?`);
  });

  test.for([
    ['ready', { path: '/', perod: '1s' }, 'ready.perod', 'period'],
    ['ready', { pathh: '/' }, 'ready.pathh', 'path'],
    ['backoff', { initial: '1s', jiter: 0 }, 'backoff.jiter', 'jitter'],
    ['smoke', { run: 'x', timeot: 0 }, 'smoke.timeot', 'timeout'],
    ['warmup', { paths: ['/'], requird: true }, 'warmup.requird', 'required'],
    ['canary', { steps: [{ weight: 5 }], stiky: true }, 'canary.stiky', 'sticky'],
    ['canary', { steps: [{ weight: 5, pauze: '1s' }] }, 'canary.steps.0.pauze', 'pause'],
    ['canary', { steps: [{ weight: 5 }], analysis: { maxP95: 1 } }, 'canary.analysis.maxP95', 'maxP99'],
  ] as const)('in %s as well: %j', ([key, value, path, meant]) => {
    expect(refusalOf({ [key]: value })).toMatchObject({
      message: `zdsup.config.js: unknown key ${path}`,
      hint: `did you mean ${meant}?`,
    });
  });

  test('in an app of several, with its place', () => {
    expect(refusal({ apps: [{ script: 'a.js' }, { script: 'b.js', instance: 2 }] })).toMatchObject({
      message: 'zdsup.config.js: unknown key apps[1].instance',
      hint: 'did you mean instances?',
    });
  });
});

describe('several keys that do not exist are refused at once', () => {
  test('with what each one meant, and the known keys where one meant nothing', () => {
    expect(refusal({ scirpt: 'app.js', instance: 2 })).toMatchObject({
      message: 'zdsup.config.js: unknown keys scirpt, instance',
      hint: 'scirpt: did you mean script?; instance: did you mean instances?',
    });
    expect(refusalOf({ enviroment: {}, instance: 2 }).hint).toMatch(
      /^instance: did you mean instances\?; known keys: name, script, /,
    );
  });

  test("PM2's with zdsup's counterpart, or that there is none yet, once for all apps", () => {
    const apps = [
      { script: 'a.js', exec_mode: 'cluster', max_memory_restart: '1G', env_production: {} },
      { script: 'b.js', exec_mode: 'cluster', wait_ready: true },
    ];
    const { message, hint } = refusal({ apps });
    expect(message).toBe(
      'zdsup.config.js: unknown keys apps[0].exec_mode, apps[0].max_memory_restart, apps[0].env_production, apps[1].exec_mode, apps[1].wait_ready',
    );
    expect(hint).toBe(
      'exec_mode of PM2: leave it out: workers always share the socket; ' +
        'max_memory_restart of PM2: maxMemory; ' +
        'env_production of PM2: env, chosen in the config by process.env.NODE_ENV, or an envFile; ' +
        "wait_ready of PM2: ready: 'message'",
    );
  });

  test("each counterpart of a key of PM2's exists, and none of the keys is known by now", () => {
    for (const key of PM2_KEYS) {
      expect(CONFIG_KEYS).not.toContain(key);
      const counterpart = counterpartOf(key)!;
      if (/^(zdsup has none yet|leave it out)/.test(counterpart)) continue;
      for (const [word] of counterpart.matchAll(/\b(?:[a-z]+[A-Z]\w*|^[a-z]+)/g))
        expect(CONFIG_KEYS, `${key}: ${counterpart}`).toContain(word);
    }
  });
});

describe('a value of the wrong kind is refused', () => {
  test.for([
    ['instances', 0, INSTANCES],
    ['instances', -3, INSTANCES],
    ['instances', 1.5, INSTANCES],
    ['instances', '4', INSTANCES],
    ['instances', 'all', INSTANCES],
    ['instances', null, INSTANCES],
    ['instances', 1_025, 'allowed: at most 1024'],
    ['maxMemory', 0, MEMORY],
    ['maxMemory', '0mb', MEMORY],
    ['maxMemory', '101%', MEMORY],
    ['maxMemory', '0%', MEMORY],
    ['maxMemory', '512 apples', MEMORY],
    ['maxMemory', true, MEMORY],
    ['maxAge', 0, "allowed: a duration above 0: '5s', '500ms', or a number of ms"],
    ['maxRequests', 0, 'allowed: a whole number from 1'],
    ['watch', 'src', WATCH],
    ['watchIgnore', '*.log', WATCH_IGNORE],
    ['surge', -1, AMOUNT],
    ['surge', 0.5, AMOUNT],
    ['surge', '25', AMOUNT],
    ['surge', '101%', AMOUNT],
    ['surge', '-5%', AMOUNT],
    ['unavailable', '2.5%', AMOUNT],
    ['unavailable', true, AMOUNT],
    ['drainTimeout', '30 s', DURATION],
    ['killTimeout', -1, DURATION],
    ['stopTimeout', 'soon', DURATION],
    ['minReady', true, DURATION],
    ['atomic', 'yes', 'allowed: true or false'],
    ['maxDraining', 0, 'allowed: a whole number from 1'],
    ['maxDraining', '2', 'allowed: a whole number from 1'],
    ['sticky', true, "allowed: 'ip' (a client's connections go to one worker, by its address), or false"],
    ['sticky', 'cookie', "allowed: 'ip' (a client's connections go to one worker, by its address), or false"],
    ['crashLoop', '5', "allowed: crashes within a time, such as '5 in 60s'"],
    ['crashLoop', '0 in 60s', "allowed: crashes within a time, such as '5 in 60s'"],
    ['crashLoop', '5 in 0s', "allowed: crashes within a time, such as '5 in 60s'"],
    ['livenessTimeout', 'soon', DURATION],
    ['smoke', 7, "allowed: a shell command, or an object such as {run: 'npm run smoke', timeout: '60s'}"],
    ['smoke', '', "allowed: a shell command, or an object such as {run: 'npm run smoke', timeout: '60s'}"],
    ['warmup', '/', WARMUP],
    ['warmup', 7, WARMUP],
    ['warmup', true, WARMUP],
    ['canary', true, CANARY],
    ['soak', 'long', DURATION],
    ['keepWarm', -1, DURATION],
    ['script', '', 'allowed: the path of the script to run'],
    ['script', 5, 'allowed: the path of the script to run'],
    ['args', 5, 'allowed: a list of strings'],
    ['nodeArgs', {}, 'allowed: a list of strings'],
    ['cwd', 5, 'allowed: the path of a folder'],
    ['envFile', 5, 'allowed: the path of an env file, or a list of them'],
    ['private', 9229, 'allowed: a list of ports'],
    ['user', 'www data', USER],
    ['user', '-G', USER],
    ['user', -1, USER],
    ['group', 'www-data', 'allowed: a group beside a user: set user too'],
    ['umask', 27, "allowed: octal digits in quotes, such as '027'"],
    ['umask', '089', "allowed: octal digits in quotes, such as '027'"],
    ['listen', 80, LISTEN],
    ['ready', 'http', "allowed: 'listening', 'message', or an object such as {path: '/healthz'}"],
    ['ready', 5, "allowed: 'listening', 'message', or an object such as {path: '/healthz'}"],
    ['backoff', true, 'allowed: a duration or an object with initial, factor, cap, jitter, resetAfter'],
    ['backoff', 'soon', DURATION],
  ] as const)('%s: %j', ([key, value, hint]) => {
    expect(refusalOf({ [key]: value })).toMatchObject({
      message: `zdsup.config.js: ${key} is ${JSON.stringify(value)}`,
      hint,
    });
  });

  test.for(['Api', '2api', 'a b', '@scope/x', ''])('name: %j', (name) => {
    const { message, hint } = refusalOf({ name });
    expect(message).toBe(`zdsup.config.js: name is ${JSON.stringify(name)}`);
    expect(hint).toMatch(NAME);
  });

  test.for([
    ['ready', { path: 'healthz' }, 'ready.path is "healthz"', "allowed: a path that starts with '/'"],
    ['ready', { path: '/', port: 0 }, 'ready.port is 0', PORT],
    ['ready', { path: '/', port: 65_536 }, 'ready.port is 65536', PORT],
    ['ready', { path: '/', protocol: 'ftp' }, 'ready.protocol is "ftp"', "allowed: 'http' or 'https'"],
    ['warmup', ['/', 'products'], 'warmup.1 is "products"', WARMUP_PATH],
    ['warmup', [''], 'warmup.0 is ""', WARMUP_PATH],
    ['warmup', [7], 'warmup.0 is 7', WARMUP_PATH],
    ['warmup', ['/a b'], 'warmup.0 is "/a b"', WARMUP_PATH],
    ['warmup', ['/käse'], 'warmup.0 is "/käse"', WARMUP_PATH],
    ['warmup', ['/\r\nHost: x'], 'warmup.0 is "/\\r\\nHost: x"', WARMUP_PATH],
    ['warmup', { paths: '/' }, 'warmup.paths is "/"', "allowed: a list of paths such as ['/', '/products']"],
    ['warmup', { paths: ['x'] }, 'warmup.paths.0 is "x"', WARMUP_PATH],
    ['warmup', {}, 'warmup.paths is nothing', "allowed: a list of paths such as ['/', '/products']"],
    [
      'warmup',
      { paths: ['/'], timeout: 0 },
      'warmup.timeout is 0',
      "allowed: a duration above 0: '5s', '500ms', or a number of ms",
    ],
    [
      'warmup',
      { paths: ['/'], timeout: '5 s' },
      'warmup.timeout is "5 s"',
      "allowed: a duration above 0: '5s', '500ms', or a number of ms",
    ],
    ['warmup', { paths: ['/'], required: 'yes' }, 'warmup.required is "yes"', 'allowed: true or false'],
    ['warmup', { paths: ['/'], port: 0 }, 'warmup.port is 0', PORT],
    ['warmup', { paths: ['/'], protocol: 'tcp' }, 'warmup.protocol is "tcp"', "allowed: 'http' or 'https'"],
    ['canary', {}, 'canary.steps is nothing', STEPS],
    ['canary', { steps: [] }, 'canary.steps is []', STEPS],
    ['canary', { steps: { weight: 5 } }, 'canary.steps is {"weight":5}', STEPS],
    ['canary', { steps: [5] }, 'canary.steps.0 is 5', STEPS],
    ['canary', { steps: [{}] }, 'canary.steps.0.weight is nothing', WEIGHT],
    ['canary', { steps: [{ weight: 0 }] }, 'canary.steps.0.weight is 0', WEIGHT],
    ['canary', { steps: [{ weight: 5 }, { weight: 100 }] }, 'canary.steps.1.weight is 100', WEIGHT],
    ['canary', { steps: [{ weight: 7.5 }] }, 'canary.steps.0.weight is 7.5', WEIGHT],
    ['canary', { steps: [{ weight: '5%' }] }, 'canary.steps.0.weight is "5%"', WEIGHT],
    ['canary', { steps: [{ weight: 50 }, { weight: 25 }] }, 'canary.steps is [{"weight":50},{"weight":25}]', STEPS],
    ['canary', { steps: [{ weight: 5 }, { weight: 5 }] }, 'canary.steps is [{"weight":5},{"weight":5}]', STEPS],
    ['canary', { steps: [{ weight: 5, pause: false }] }, 'canary.steps.0.pause is false', PAUSE],
    ['canary', { steps: [{ weight: 5, pause: 'soon' }] }, 'canary.steps.0.pause is "soon"', PAUSE],
    ['canary', { steps: [{ weight: 5 }], sticky: 'ip' }, 'canary.sticky is "ip"', 'allowed: true or false'],
    [
      'canary',
      { steps: [{ weight: 5 }], analysis: true },
      'canary.analysis is true',
      "allowed: an object such as {maxErrorRate: '1%', maxP99: '500ms'}",
    ],
    ...(
      [
        ['minRequests', 0, 'allowed: a whole number from 1'],
        ['maxErrorRate', '101%', RATE],
        ['maxErrorRate', 5, RATE],
        ['maxErrorRate', '1', RATE],
        ['maxP99', 0, ABOVE_0],
        ['maxRestarts', -1, 'allowed: a whole number from 0'],
        ['tolerance', -0.1, "allowed: a share such as '20%', or a number such as 0.2"],
        ['errorTolerance', 'some', RATE],
        ['latencyTolerance', 'some', DURATION],
        ['inconclusive', 'promote', "allowed: 'wait' (for more traffic) or 'pause' (until a person acts)"],
      ] as const
    ).map(
      ([name, value, hint]) =>
        [
          'canary',
          { steps: [{ weight: 5 }], analysis: { [name]: value } },
          `canary.analysis.${name} is ${JSON.stringify(value)}`,
          hint,
        ] as const,
    ),
    ['ready', { on: 'open' }, 'ready.on is "open"', "allowed: 'listening' or 'message'"],
    ['ready', { path: '/', successes: 0 }, 'ready.successes is 0', 'allowed: a whole number from 1'],
    ['ready', { deadline: 'never' }, 'ready.deadline is "never"', DURATION],
    ['backoff', { factor: 0.5 }, 'backoff.factor is 0.5', 'allowed: a number from 1'],
    ['backoff', { jitter: 2 }, 'backoff.jitter is 2', 'allowed: a number from 0 to 1'],
    ['backoff', { cap: '1y' }, 'backoff.cap is "1y"', DURATION],
    ['env', { PORT: { a: 1 } }, 'env.PORT is an object', 'allowed: a string without NUL bytes, a number or a boolean'],
    ['env', 'TOKEN=hunter2', 'env is a string', 'allowed: an object of variables'],
    [
      'env',
      { TOKEN: 'hunter2\0' },
      'env.TOKEN is a string with a NUL byte',
      'allowed: a string without NUL bytes, a number or a boolean',
    ],
    ['listen', [80, 'example.org:80'], 'listen.1 is "example.org:80"', LISTEN],
    ['listen', ['app.sock'], 'listen.0 is "app.sock"', LISTEN],
    ['private', [9229, 0], 'private.1 is 0', PORT],
    ['args', ['a', 5], 'args.1 is 5', 'allowed: a string'],
    ['envFile', ['.env', 5], 'envFile.1 is 5', 'allowed: a string'],
  ] as const)('within %s: %j', ([key, value, what, hint]) => {
    expect(refusalOf({ [key]: value })).toMatchObject({ message: `zdsup.config.js: ${what}`, hint });
  });

  test('and a long one is cut in the message', () => {
    const { message } = refusalOf({ args: { long: 'x'.repeat(500) } });
    expect(message.length).toBeLessThan(120);
    expect(message).toMatch(/\.\.\.$/);
  });
});

describe('surge and unavailable both 0 are refused', () => {
  test.for([
    { instances: 4, surge: 0, unavailable: 0 },
    { instances: 4, surge: '0%', unavailable: '0%' },
    { instances: 3, surge: 0, unavailable: '25%' },
    { instances: 1, surge: '0%', unavailable: '99%' },
    { instances: 'max', surge: 0, unavailable: 0 },
  ] as const)('with $instances instances, surge $surge and unavailable $unavailable', (keys) => {
    const { message, hint } = refusalOf(keys);
    expect(message).toContain(`surge and unavailable are both 0 for ${keys.instances} instance`);
    expect(hint).toBe('set surge to at least 1');
  });

  test.for([
    { instances: 4, surge: 0, unavailable: '25%' },
    { instances: 1, surge: 0, unavailable: '100%' },
    { instances: 1, surge: '1%', unavailable: 0 },
    { instances: 1, surge: 0, unavailable: 1 },
  ] as const)('but not $instances instances, surge $surge and unavailable $unavailable', (keys) => {
    expect(parseConfig({ script: 'app.js', ...keys }, 'zdsup.config.js')).toHaveLength(1);
  });
});

describe('the config as a whole', () => {
  test.for([null, undefined, 'app.js', 5, [], true])(
    '%j is refused: it is an object with at least a script',
    (input) => {
      expect(refusal(input)).toMatchObject({
        message: `zdsup.config.js: the config is ${input === undefined ? 'nothing' : JSON.stringify(input)}`,
        hint: 'allowed: an object with at least a script',
      });
    },
  );

  test('without a script is refused, with how to name one', () => {
    expect(refusal({ name: 'api' })).toMatchObject({
      message: 'zdsup.config.js: script is missing',
      hint: "name the script to run: script: 'app.js'",
    });
    expect(refusal({ apps: [{ name: 'api' }] }).message).toBe('zdsup.config.js: apps[0].script is missing');
  });

  test.for([[], {}, 'api', null])('with apps as %j is refused', (apps) => {
    expect(refusal({ apps })).toMatchObject({
      message: `zdsup.config.js: apps is ${JSON.stringify(apps)}`,
      hint: 'allowed: a list with at least one app',
    });
  });

  test('with anything beside apps is refused', () => {
    expect(refusal({ apps: [{ script: 'a.js' }], instances: 2 })).toMatchObject({
      message: 'zdsup.config.js: instances is 2',
      hint: "allowed: nothing beside 'apps': put it into each app",
    });
  });

  test('with an app that is no object is refused, with its place', () => {
    expect(refusal({ apps: [{ script: 'a.js' }, 'b.js'] }).message).toBe('zdsup.config.js: apps[1] is "b.js"');
  });

  test('with two apps of one name is refused', () => {
    const apps = [
      { name: 'api', script: 'a.js' },
      { name: 'web', script: 'b.js' },
      { name: 'api', script: 'c.js' },
    ];
    expect(refusal({ apps })).toMatchObject({
      message: 'zdsup.config.js: apps[2].name is "api"',
      hint: 'allowed: a name that no other app in the file has',
    });
  });
});

describe('what belongs to releases', () => {
  const SHARED = "allowed: a list of folders in the app's own, such as ['uploads', '.cache']";

  test.for([['../out'], ['/var/uploads'], [''], ['a//b'], ['a/../../b'], ['./uploads'], ['.'], ['uploads/'], [7]])(
    'shared: %j',
    (shared) => {
      expect(refusalOf({ shared })).toMatchObject({
        message: `zdsup.config.js: shared.0 is ${JSON.stringify(shared[0])}`,
        hint: SHARED,
      });
    },
  );

  test('one shared folder in another one', () => {
    expect(refusalOf({ shared: ['var/cache', 'var'] })).toMatchObject({
      message: 'zdsup.config.js: shared is "var/cache"',
      hint: 'allowed: folders of which none lies in another one of the list',
    });
  });

  test('a log file that may hold next to nothing', () => {
    expect(refusalOf({ log: { maxSize: '10b' } })).toMatchObject({
      message: 'zdsup.config.js: log.maxSize is "10b"',
      hint: "allowed: a size of at least 1kb: '50mb', '1gb', or a number of bytes",
    });
    expect(refusalOf({ log: { outFile: 'a.log' } })).toMatchObject({
      message: 'zdsup.config.js: unknown key log.outFile',
    });
  });

  test.for([0, -1, 1.5, '5'])('keep: %j', (keep) => {
    expect(refusalOf({ keep })).toMatchObject({
      message: `zdsup.config.js: keep is ${JSON.stringify(keep)}`,
      hint: 'allowed: a whole number of releases from 1',
    });
  });
});
