/** Runs in the master. A descriptor that came with a message which takes none: the app speaks on this channel as well. */

/**
 * Whatever it has been made of, libuv's own or a `net.Socket`, `net.Server` or `dgram.Socket`: unclosed, the master would hold it for ever, and a server accept
 * from it.
 */
export function closeStray(handle: unknown): void {
  const { destroy, close } = (handle ?? {}) as { destroy?: unknown; close?: unknown };
  if (typeof destroy === 'function') destroy.call(handle);
  else if (typeof close === 'function') close.call(handle);
}
