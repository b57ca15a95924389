/** Whether a write to a pipe waits until the kernel has it. */
interface Blockable {
  _type?: string;
  _handle?: { setBlocking?(blocking: boolean): number } | null;
}

/**
 * In the master. A child that inherits a pipe makes it blocking again for everybody who shares it (libuv does so before
 * exec): a reader that stalls would then stop the master in mid-write. Undone after each fork.
 */
export function keepNonBlocking(stream: NodeJS.WriteStream): void {
  const { _type, _handle } = stream as unknown as Blockable;
  if (_type === 'pipe') _handle?.setBlocking?.(false);
}

/**
 * In a worker whose output the log process reads: a write returns when the kernel has it. Left to itself, Node keeps what a full pipe does not take
 * in the worker's memory (365 MB within 1 s, measured), and loses it where the process ends.
 */
export function waitForWrites(stream: NodeJS.WriteStream): void {
  const { _type, _handle } = stream as unknown as Blockable;
  if (_type === 'pipe') _handle?.setBlocking?.(true);
}
