/** Runs in the CLI. What is remembered of apps: the records their masters keep in the state folders. Reads, and never writes. */
import { closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { byName } from '../shared/app-name.js';
import type { AppEnd, AppRecord } from '../shared/app-record.js';
import { parseAppRecord } from '../shared/app-record.js';
import { ZdsupError } from '../shared/errors.js';
import { controlSocketPath, recordsDir } from '../shared/paths.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import { recordFiles } from './apps.js';

export interface Remembered {
  name: string;
  /** The state folder it was found in. */
  state: string;
  /** Of the record. */
  path: string;
  /** Owner of the record. */
  uid: number;
  /** Null where the file is broken, and `fault` says how. */
  record: AppRecord | null;
  fault: string | null;
}

/** All of them by name; others' are left out, but for root. The first folder that has one wins, as with control sockets. */
export function rememberedApps(): Remembered[] {
  const found = new Map<string, Remembered>();
  for (const { state, name } of recordFiles()) {
    if (found.has(name)) continue;
    const one = read(state, name);
    if (one !== null) found.set(name, one);
  }
  return [...found.values()].sort(byName);
}

/** Null where there is none, or it is not ours to see. */
function read(state: string, name: string): Remembered | null {
  const path = join(recordsDir(state), `${name}.json`);
  const uid = process.geteuid?.() ?? 0;
  let owner = uid;
  try {
    owner = statSync(path).uid;
    if (uid !== 0 && owner !== uid) return null;
    const parsed = parseAppRecord(textOf(path), name);
    if ('fault' in parsed) return { name, state, path, uid: owner, record: null, fault: parsed.fault };
    return { name, state, path, uid: owner, record: parsed.record, fault: null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    return { name, state, path, uid: owner, record: null, fault: code ?? message };
  }
}

/** A named pipe in the place of a record, which another user may have put there, does not keep root waiting. */
function textOf(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

/** Where its master has its control socket, while there is one. */
export const socketOf = ({ state, name }: Remembered): string => controlSocketPath(join(state, 'run'), name);

/** How an app ended whose master does not answer. Read afresh: the master writes it in its last moments. */
export function endOf(one: Remembered): AppEnd | { at: null; how: 'crashed'; reason: string } {
  const record = read(one.state, one.name)?.record ?? one.record;
  const reason = `its master (pid ${record?.masterPid ?? '?'}) was killed, or the host went down`;
  return record?.ended ?? { at: null, how: 'crashed', reason };
}

/** One line for people. */
export const brokenRecord = ({ name, path, fault }: Remembered): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_RECORD_BROKEN',
    message: `what is remembered of ${name} cannot be read: ${path}: ${fault}`,
    hint: `start it again by its script or config, or forget it: zdsup delete ${name}`,
    exitStatus: 1,
  });

/** One that does not run, as status shows it. */
export function snapshotAtRest(remembered: Remembered, { name, version, startedAt }: AppRecord): AppSnapshot {
  const { how, at, reason } = endOf(remembered);
  return { ...nothingOf(name), state: how, version, startedAt, ended: { at, reason } };
}

/** One whose master does not answer: of that only the record tells. */
export function snapshotUnresponsive(name: string): AppSnapshot {
  const record = rememberedApps().find((one) => one.name === name)?.record;
  return {
    ...nothingOf(name),
    state: 'unresponsive',
    masterPid: record?.masterPid ?? 0,
    version: record?.version ?? '',
    startedAt: record?.startedAt ?? '',
  };
}

const nothingOf = (name: string): Omit<AppSnapshot, 'state' | 'version' | 'startedAt'> => ({
  name,
  masterPid: 0,
  release: null,
  generation: null,
  listeners: [],
  weights: {},
  rollout: null,
  workers: [],
});
