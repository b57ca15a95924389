/**
 * Runs in the master. Which file or folder a path leads to, noted and compared: gone, there again, or another one in its place. Who watches a folder
 * (inotify) hears no word of it once it has been replaced under its name.
 */
import type { Stats } from 'node:fs';
import { statSync } from 'node:fs';

export class Places {
  private readonly noted = new Map<string, string | null>();

  /** @param stats of an earlier look */
  note(path: string, stats: Stats | null = statOf(path)): void {
    this.noted.set(path, idOf(stats));
  }

  forget(path: string): void {
    this.noted.delete(path);
  }

  /** Of those that were noted. */
  replaced(path: string): boolean {
    const noted = this.noted.get(path);
    return noted !== undefined && noted !== idOf(statOf(path));
  }

  someReplaced(): boolean {
    return [...this.noted.keys()].some((path) => this.replaced(path));
  }
}

/** A file system gives the number of what was removed to the next that is made: the time that it was made tells them apart. */
const idOf = (stats: Stats | null): string | null => stats && `${stats.dev}:${stats.ino}:${stats.birthtimeMs}`;

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null; // Not there, or none that we may see.
  }
}
