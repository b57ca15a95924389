/** Runs in the CLI. Apps that run and those that are only remembered, as one list; for the commands that take either. */

import { ZdsupError } from '../shared/errors.js';
import type { RunningApp } from './apps.js';
import { answers, named, notRunning, pickApp, runningApps } from './apps.js';
import { asOwner } from './as-owner.js';
import type { Remembered } from './records.js';
import { rememberedApps, socketOf } from './records.js';

export interface KnownApp {
  name: string;
  running: RunningApp | null;
  remembered: Remembered | null;
}

/** By name. */
export async function knownApps(): Promise<KnownApp[]> {
  return withRemembered(await runningApps());
}

/** @param running seen before the records are read */
export function withRemembered(running: RunningApp[]): Promise<KnownApp[]> {
  const remembered = rememberedApps();
  const names = [...new Set([...running, ...remembered].map(({ name }) => name))].sort();
  return Promise.all(
    names.map(async (name) => {
      const record = remembered.find((one) => one.name === name) ?? null;
      const master = running.find((one) => one.name === name) ?? (record && (await startedMeanwhile(record)));
      return { name, running: master, remembered: record };
    }),
  );
}

/** The sockets were looked at before the records: one that has begun in between has a record without an end, and answers. */
async function startedMeanwhile(one: Remembered): Promise<RunningApp | null> {
  if (one.record === null || one.record.ended !== null) return null;
  try {
    const socketPath = socketOf(one);
    return (await answers(socketPath)) ? { name: one.name, socketPath } : null;
  } catch {
    return null; // The path is too long for one, so nothing listens there.
  }
}

/**
 * The apps a command is meant for: the named one, `all`, else that of the current folder, else the only one that runs, else the
 * only one: of commands that only look. What changes something asks app-to-change.ts.
 * @param others also those of other users, where the caller is root
 * @throws ZdsupError ZDSUP_APP_NOT_RUNNING (exit 3), ZDSUP_APP_AMBIGUOUS (exit 2), ZDSUP_STATE_FOREIGN (exit 2)
 */
export async function chooseKnown(name: string | undefined, { others = false } = {}): Promise<KnownApp[]> {
  const all = await knownApps();
  const known = others && name !== undefined ? all : all.filter(({ running }) => running?.owner === undefined);
  if (name !== undefined && name !== 'all') {
    const found = named(name, known);
    if (found) return [found];
    const foreign = named(name, all);
    if (foreign) throw ofAnother(foreign, name);
    throw await notRunning(
      name,
      known.flatMap((app) => app.running ?? []),
    );
  }
  if (known.length === 0) throw noneKnown();
  if (name === 'all') return known;
  const running = known.filter((app) => app.running);
  return [pickApp(known, 'are known', running.length === 1 ? running[0] : undefined)];
}

export const noneKnown = (): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_APP_NOT_RUNNING',
    message: 'no app is running, and none is remembered',
    hint: 'start one with zdsup start <script>',
    exitStatus: 3,
  });

/** Whom a command without a name would mean, for the example in a hint. */
export async function nameForHints(): Promise<string> {
  try {
    return (await chooseKnown(undefined))[0]!.name;
  } catch {
    return '<app>'; // None, or several.
  }
}

/** What is remembered of another user's app lies in folders that are that user's to read and write. */
function ofAnother({ name, running }: KnownApp, typed: string): ZdsupError {
  const owner = running?.owner ?? '';
  return new ZdsupError({
    code: 'ZDSUP_STATE_FOREIGN',
    message: `${name} is another user's: root sees and steers it while it runs, its log, journal and releases are ${owner}'s own`,
    hint: `as that user: ${asOwner(owner, typed)}`,
    exitStatus: 2,
  });
}
