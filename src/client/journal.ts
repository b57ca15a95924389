/** Runs in the CLI. Reads the journal of an app, whether it runs or not. Never writes. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import type { JournalText } from '../shared/journal-entry.js';
import { parseJournal } from '../shared/journal-entry.js';
import { journalPath, stateDir } from '../shared/paths.js';
import type { KnownApp } from './known-apps.js';

export interface FoundJournal extends JournalText {
  path: string;
  /** Bytes of it that were read: what is followed begins there. */
  size: number;
}

export const journalPathOf = ({ name, remembered }: KnownApp): string =>
  journalPath(remembered?.state ?? stateDir(process.env, homedir()), name);

/** Empty where the app has none yet. @throws where it is there and cannot be read */
export function readJournal(app: KnownApp): FoundJournal {
  const path = journalPathOf(app);
  const young = bytesOf(path); // First: in a rotation between the two, what was read is at the beginning of the older one.
  const old = bytesOf(`${path}.1`).toString();
  const gap = old === '' || old.endsWith('\n') ? '' : '\n';
  const text = young.toString();
  return { path, size: young.length, ...parseJournal(old.startsWith(text) ? old : old + gap + text) };
}

function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}
