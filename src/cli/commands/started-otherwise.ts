/** Runs in the CLI. What a command line names and the app that runs was not started with: a reload goes on with the latter, and a command says so. */
import { realpathSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { knownApps } from '../../client/known-apps.js';
import type { StartRequest } from '../../shared/app-record.js';

/** The file that an app is started from. */
const sourceOf = ({ configPath, overrides }: StartRequest): string => configPath ?? String(overrides.script);

/** The same file through whatever link. */
export function isSameSource(one: StartRequest, other: StartRequest): boolean {
  return realOf(sourceOf(one)) === realOf(sourceOf(other));
}

/** The source and the flags of `asked` that are others than those of `own`; a flag that is not given says nothing. */
export function startedOtherwise(own: StartRequest, asked: StartRequest): string[] {
  const flags = Object.keys(asked.overrides).filter(
    (key) =>
      key !== 'script' &&
      key !== 'name' && // By that it was found.
      !isDeepStrictEqual(asked.overrides[key], own.overrides[key]),
  );
  return isSameSource(own, asked) ? flags : [sourceOf(asked), ...flags];
}

/** @returns what the app of that name was started from, where that is not what is asked for now */
export async function otherSourceOf(
  name: string,
  asked: StartRequest,
): Promise<{ own: string; asked: string[] } | null> {
  const own = (await knownApps()).find((app) => app.name === name)?.remembered?.record?.request;
  if (own === undefined) return null;
  const differing = startedOtherwise(own, asked);
  return differing.length === 0 ? null : { own: sourceOf(own), asked: differing };
}

/** Of a start that turns into a reload. */
export async function noteStartedOtherwise(name: string, asked: StartRequest): Promise<void> {
  const other = await otherSourceOf(name, asked);
  if (other === null) return;
  process.stderr.write(
    `note: ${name} is reloaded as it was started, from ${other.own}; what is asked for now (${other.asked.join(', ')}) takes zdsup stop ${name}, then a start\n`,
  );
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // Gone, or spelt without its extension.
  }
}
