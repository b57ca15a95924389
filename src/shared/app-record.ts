/**
 * What is remembered of an app: `apps/<name>.json` in the state folder, written by its master. The shape, and the judge of
 * what such a file holds. By hand: the schema library would cost `zdsup status` 14 ms.
 */
import { isAppName } from './app-name.js';

/** What the user asked to run; the same for every generation. */
export interface StartRequest {
  /** Absolute. */
  configPath?: string;
  /** Which app of a config with several. */
  only?: string;
  /** Raw config keys from flags; they win over the file. */
  overrides: Record<string, unknown>;
  /** Its workers have run as another user than its master, root: the config is judged before root evaluates it. */
  guarded?: true;
  /** Logical: `$PWD` where it is the same folder, so that a symbolic link in it is followed afresh at each reload. */
  baseDir: string;
}

export interface AppRecord {
  name: string;
  request: StartRequest;
  /** ISO 8601 instant. */
  startedAt: string;
  masterPid: number;
  /** Version of zdsup that the master ran. */
  version: string;
  daemon: boolean;
  /** Absolute; null where the output went to whoever started it. */
  logFile: string | null;
  logFormat: 'json' | 'pretty' | null;
  /** Where what it writes is kept, absolute; left out where it is not, and of a daemon that says nothing else: that is in the state folder. */
  log?: { out: string; error: string } | undefined;
  /** Null while it runs, and for ever where its master was killed. */
  ended: AppEnd | null;
}

export interface AppEnd {
  /** ISO 8601 instant. */
  at: string;
  how: 'stopped' | 'crashed';
  reason: string | null;
}

type Judge = (value: unknown) => boolean;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText: Judge = (value) => typeof value === 'string' && value !== '';
const isTextOrNull: Judge = (value) => value === null || isText(value);
const isTextOrLeftOut: Judge = (value) => value === undefined || isText(value);
const isInstant: Judge = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));

const REQUEST: Record<keyof StartRequest, Judge> = {
  configPath: isTextOrLeftOut,
  only: isTextOrLeftOut,
  overrides: isObject,
  guarded: (value) => value === undefined || value === true,
  baseDir: isText,
};
const END: Record<keyof AppEnd, Judge> = {
  at: isInstant,
  how: (value) => value === 'stopped' || value === 'crashed',
  reason: (value) => value === null || typeof value === 'string',
};
const RECORD: Record<keyof AppRecord, Judge> = {
  name: (value) => typeof value === 'string' && isAppName(value),
  request: isObject,
  startedAt: isInstant,
  masterPid: (value) => Number.isInteger(value) && (value as number) > 0,
  version: isText,
  daemon: (value) => typeof value === 'boolean',
  logFile: isTextOrNull,
  logFormat: (value) => value === null || value === 'json' || value === 'pretty',
  log: (value) => value === undefined || (isObject(value) && isText(value.out) && isText(value.error)),
  ended: (value) => value === null || isObject(value),
};

/**
 * @param name of the file: a record of another name is somebody's copy
 * @returns the record, or in a few words what is wrong with the text. Keys that a newer zdsup has added are let be.
 */
export function parseAppRecord(text: string, name: string): { record: AppRecord } | { fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: text.trim() === '' ? 'it is empty' : 'it is not JSON' };
  }
  if (!isObject(value)) return { fault: 'it is no object' };
  const fault = faultIn(value, RECORD, '') ?? faultIn(value.request as object, REQUEST, 'request.');
  if (fault !== null) return { fault };
  const record = value as unknown as AppRecord;
  const endFault = record.ended && faultIn(record.ended, END, 'ended.');
  if (endFault !== null) return { fault: endFault };
  return record.name === name ? { record } : { fault: `it is that of ${record.name}` };
}

function faultIn(value: object, judges: Record<string, Judge>, prefix: string): string | null {
  const wrong = Object.entries(judges).find(([key, judge]) => !judge((value as Record<string, unknown>)[key]));
  if (wrong === undefined) return null;
  const received = JSON.stringify((value as Record<string, unknown>)[wrong[0]]) ?? 'missing';
  return `its ${prefix}${wrong[0]} is ${received.length > 40 ? `${received.slice(0, 37)}...` : received}`;
}
