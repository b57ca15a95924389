/** Runs in a program that uses the API. Finds the app that is meant, as a command does. */
import { chooseApps } from '../client/apps.js';
import { ControlledApp } from './controlled-app.js';
import { refuseOptions, shown, usage } from './options.js';
import type { App, WaitOptions } from './types.js';

/** @throws ZdsupError ZDSUP_APP_NOT_RUNNING, ZDSUP_APP_AMBIGUOUS, ZDSUP_USAGE */
export async function connect(name?: string, options: WaitOptions = {}): Promise<App> {
  refuseOptions('connect', options);
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    throw usage(
      `connect: ${shown(name)} is no name of an app`,
      'a string, as zdsup status lists it; or leave it out, for the app of this folder',
    );
  if (name === 'all') throw usage("connect: 'all' is no app", 'connect to each by its name');
  const { signal } = options;
  signal?.throwIfAborted();
  const [found] = await chooseApps(name);
  signal?.throwIfAborted();
  return new ControlledApp(found!.name, found!.socketPath);
}
