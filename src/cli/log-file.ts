/** Runs in the CLI. Reads a journal that others write, on as it grows, is cut or is replaced. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';

const CHUNK_BYTES = 64 * 1024;
/** How often a followed file is looked at, in ms. */
const LOOK_MS = 200;

/**
 * Writes the file from `from` on, and with `follow` what comes after, for ever: of the file that has the name. One that was
 * cut is read from its beginning, one that was replaced (rotated) to its end first.
 * @param write null ends it
 */
export async function followFile(
  path: string,
  from: number,
  follow: boolean,
  write: (bytes: Buffer | null) => Promise<void>,
): Promise<void> {
  let file = open(path);
  let position = from;
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const readOn = async (): Promise<void> => {
    if (file === null) return;
    if (fstatSync(file).size < position) position = 0;
    for (let read = -1; read !== 0; ) {
      read = readSync(file, chunk, 0, CHUNK_BYTES, position);
      position += read;
      if (read > 0) await write(Buffer.from(chunk.subarray(0, read)));
    }
  };
  await readOn();
  while (follow) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    await readOn();
    if (!isReplaced(path, file)) continue;
    await readOn(); // What was written between the last read and the rename.
    if (file !== null) closeSync(file);
    file = open(path);
    position = 0;
  }
  if (file !== null) closeSync(file);
  await write(null);
}

/** Does the name lead to another file by now? One that has gone may still be written to. */
function isReplaced(path: string, file: number | null): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  if (now === undefined || file === null) return now !== undefined;
  const open_ = fstatSync(file);
  return now.ino !== open_.ino || now.dev !== open_.dev;
}

function open(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
