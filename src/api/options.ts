/**
 * Pure. The options of each call, judged before anything is asked or started: one that is mistyped would be passed over, and the call would do something else than it says. With the
 * types it is held together by `Judges`: an option without a judge does not compile.
 */
import { ZdsupError } from '../shared/errors.js';
import { nearestWord } from '../shared/nearest.js';
import type {
  PromoteOptions,
  RecycleOptions,
  ReloadOptions,
  RollbackOptions,
  RolloutOptions,
  StartOptions,
  WaitOptions,
  WatchOptions,
  WorkOptions,
} from './types.js';

interface Judge {
  takes(value: unknown): boolean;
  allowed: string;
}
type Judges<T> = Readonly<Record<keyof Required<T>, Judge>>;

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

const FLAG: Judge = { takes: (value) => typeof value === 'boolean', allowed: 'true or false' };
const text = (what: string): Judge => ({ takes: isText, allowed: what });
const oneOf = (...words: string[]): Judge => ({
  takes: (value) => words.includes(value as string),
  allowed: words.map((word) => `'${word}'`).join(' or '),
});

const WAIT: Judges<WaitOptions> = {
  signal: { takes: (value) => value instanceof AbortSignal, allowed: 'an AbortSignal' },
};
const WORK: Judges<WorkOptions & WatchOptions> = {
  ...WAIT,
  onProgress: { takes: (value) => typeof value === 'function', allowed: 'a function' },
};
const ROLLOUT: Judges<RolloutOptions> = { ...WORK, allowListeners: FLAG, wait: FLAG };
const RELOAD: Judges<ReloadOptions> = {
  ...ROLLOUT,
  weight: {
    takes: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 99,
    allowed: 'a whole number of percent from 1 to 99',
  },
  canary: FLAG,
};
const PROMOTE: Judges<PromoteOptions> = { ...WORK, full: FLAG };
const ROLLBACK: Judges<RollbackOptions> = { ...WORK, to: text('the id of a release, or how it begins') };
const RECYCLE: Judges<RecycleOptions> = { ...WORK, wait: FLAG };
const START: Judges<StartOptions> = {
  ...WORK,
  daemon: FLAG,
  overrides: { takes: isPlain, allowed: 'an object of config keys' },
  args: {
    takes: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
    allowed: 'a list of strings',
  },
  only: text('the name of an app in the config file'),
  cwd: text('the path of a folder'),
  env: {
    takes: (value) =>
      isPlain(value) && Object.values(value).every((one) => one === undefined || typeof one === 'string'),
    allowed: 'an object of strings, such as { ...process.env, PORT: "3000" }',
  },
  output: oneOf('inherit', 'ignore'),
  logFormat: oneOf('json', 'pretty'),
  inPlace: FLAG,
};

const OPTIONS = {
  ...{ start: START, connect: WAIT, status: WAIT, describe: WAIT, watch: WORK },
  ...{ reload: RELOAD, restart: ROLLOUT, canary: WORK, promote: PROMOTE, pause: WORK, abort: WORK },
  ...{ rollback: ROLLBACK, scale: WORK, recycle: RECYCLE, stop: WORK },
} satisfies Record<string, Readonly<Record<string, Judge>>>;

export type Call = keyof typeof OPTIONS;

/** What people write who look for a time limit. */
const LIMITS = /^(time_?out|deadline|within)(_?ms)?$/i;

/** @throws ZdsupError ZDSUP_USAGE for an option that the call does not have, or a value that it does not take */
export function refuseOptions(call: Call, options: unknown): void {
  const judges: Readonly<Record<string, Judge>> = OPTIONS[call];
  const known = Object.keys(judges);
  if (!isPlain(options))
    throw usage(`${call}: the options are ${shown(options)}`, `an object, with ${known.join(', ')}; or leave it out`);
  for (const [key, value] of Object.entries(options)) {
    const judge = Object.hasOwn(judges, key) ? judges[key] : undefined;
    if (judge === undefined) throw usage(`${call}: unknown option ${key}`, whatThen(key, known));
    if (value !== undefined && !judge.takes(value))
      throw usage(`${call}: ${key} is ${shown(value)}`, `allowed: ${judge.allowed}`);
  }
}

function whatThen(key: string, known: string[]): string {
  const near = nearestWord(key, known);
  if (near !== undefined) return `did you mean ${near}?`;
  if (LIMITS.test(key)) return 'signal: AbortSignal.timeout(ms) bounds the waiting';
  return `known options: ${known.join(', ')}`;
}

/** An object of keys: of lists, maps, URLs and the like every key would be passed over. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return ['[object Object]', '[object Module]'].includes(Object.prototype.toString.call(value));
}

/** For an error: short, and of an object no more than that it is one. */
export function shown(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  const word = typeof value === 'string' ? `'${value}'` : String(value);
  return word.length > 80 ? `${word.slice(0, 77)}...` : word;
}

/** Who calls has said something that makes no sense: nothing was asked of a master. */
export const usage = (message: string, hint: string): ZdsupError =>
  new ZdsupError({ code: 'ZDSUP_USAGE', message, hint, exitStatus: 2 });
