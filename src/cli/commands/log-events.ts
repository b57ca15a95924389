/** Runs in the CLI. `zdsup logs --events`: the last entries of an app's journal, and with -f those that follow. */
import { readJournal } from '../../client/journal.js';
import type { KnownApp } from '../../client/known-apps.js';
import type { JournalEntry } from '../../shared/journal-entry.js';
import { parseEntry } from '../../shared/journal-entry.js';
import { followFile } from '../follow-file.js';
import { eachLine, toStdout } from '../line-output.js';
import { eventLine } from '../render/journal-entry.js';
import { warnOf } from './history.js';

/** Follows until it is interrupted; also an app that is stopped, for it may be started again. */
export async function logEvents(
  app: KnownApp,
  options: { follow: boolean; lines: number; json: boolean },
): Promise<number> {
  const journal = readJournal(app);
  warnOf(journal);
  const render = (entry: JournalEntry): string =>
    options.json ? JSON.stringify({ app: app.name, ...entry }) : eventLine(app.name, entry);
  const last = options.lines === 0 ? [] : journal.entries.slice(-options.lines);
  await toStdout(last.map((entry) => `${render(entry)}\n`).join(''));
  if (!options.follow) return 0;
  const followed = eachLine((line) => {
    const entry = parseEntry(line);
    return entry === null ? null : render(entry);
  });
  return followFile(journal.path, journal.size, followed);
}
