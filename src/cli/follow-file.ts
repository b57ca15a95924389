/** Runs in the CLI. Reads a journal that others write, on as it grows, is cut or is replaced. */
import { bytesBetween, close, isReplaced, openLog, sizeOf } from './logs/files.js';

/** How often a followed file is looked at, in ms. */
const LOOK_MS = 200;

/**
 * Writes the file from `from` on and what comes after, for ever: of the file that has the name. One that was cut is read from its
 * beginning, one that was replaced (rotated) to its end first.
 */
export async function followFile(path: string, from: number, write: (bytes: Buffer) => Promise<void>): Promise<never> {
  let file = openLog(path);
  let position = from;
  const readOn = async (): Promise<void> => {
    if (file === null) return;
    if (sizeOf(file) < position) position = 0;
    for (const chunk of bytesBetween(file, position, Number.POSITIVE_INFINITY)) {
      position += chunk.length;
      await write(chunk);
    }
  };
  for (;;) {
    await readOn();
    if (isReplaced(path, file)) {
      await readOn(); // What was written between the last read and the rename.
      if (file !== null) close(file);
      file = openLog(path);
      position = 0;
    } else await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
