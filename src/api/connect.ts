/** Runs in a program that uses the API. Finds the app that is meant, as a command does. */
import { chooseApps } from '../client/apps.js';
import { ZdsupError } from '../shared/errors.js';
import { ControlledApp } from './controlled-app.js';
import type { App, WaitOptions } from './types.js';

/** @throws ZdsupError ZDSUP_APP_NOT_RUNNING, ZDSUP_APP_AMBIGUOUS, ZDSUP_USAGE */
export async function connect(name?: string, { signal }: WaitOptions = {}): Promise<App> {
  signal?.throwIfAborted();
  if (name === 'all')
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: "connect: 'all' is no app",
      hint: 'connect to each by its name',
      exitStatus: 2,
    });
  const [found] = await chooseApps(name);
  signal?.throwIfAborted();
  return new ControlledApp(found!.name, found!.socketPath);
}
