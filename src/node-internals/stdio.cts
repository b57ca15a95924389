/**
 * Runs in the master. A child that inherits a pipe makes it blocking again for everybody who shares it (libuv does so before
 * exec): a reader that stalls would then stop the master in mid-write. Undone after each fork.
 */
interface Blockable {
  _type?: string;
  _handle?: { setBlocking?(blocking: boolean): number } | null;
}

export function keepNonBlocking(stream: NodeJS.WriteStream): void {
  const { _type, _handle } = stream as unknown as Blockable;
  if (_type === 'pipe') _handle?.setBlocking?.(false);
}
