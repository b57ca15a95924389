/**
 * Runs in the worker. Apps unlink a unix socket's path before they listen on it, which would take away the live one:
 * while the master holds a path (it keeps a hard link beside it), removing the path does nothing.
 */
import fs = require('node:fs');
import module_ = require('node:module');

import { resolve } from 'node:path';

import { heldLinkOf } from '../shared/held-link.cjs';

/** Those that a service manager has bound. */
let inherited = new Set<string>();

function isHeld(given: unknown): boolean {
  if (typeof given !== 'string') return false;
  try {
    const path = resolve(given);
    if (inherited.has(path)) return true;
    const own = fs.lstatSync(path, { throwIfNoEntry: false });
    if (!own?.isSocket()) return false;
    const link = fs.lstatSync(heldLinkOf(path), { throwIfNoEntry: false });
    return link !== undefined && link.ino === own.ino && link.dev === own.dev;
  } catch {
    return false; // No such folder, no right to look: the app's own call says so better.
  }
}

export function shieldHeldPaths(inheritedPaths: string[]): void {
  inherited = new Set(inheritedPaths);
  for (const name of ['unlinkSync', 'rmSync'] as const) {
    const original = fs[name] as (...args: unknown[]) => void;
    (fs as unknown as Record<string, unknown>)[name] = (path: unknown, ...rest: unknown[]) =>
      isHeld(path) ? undefined : original.call(fs, path, ...rest);
  }
  for (const name of ['unlink', 'rm'] as const) {
    const original = fs[name] as (...args: unknown[]) => void;
    (fs as unknown as Record<string, unknown>)[name] = (path: unknown, ...rest: unknown[]) => {
      if (isHeld(path)) setImmediate(rest.at(-1) as (error: null) => void, null);
      else original.call(fs, path, ...rest);
    };
    const promised = fs.promises[name] as (...args: unknown[]) => Promise<void>;
    (fs.promises as unknown as Record<string, unknown>)[name] = (path: unknown, ...rest: unknown[]) =>
      isHeld(path) ? Promise.resolve() : promised.call(fs.promises, path, ...rest);
  }
  module_.syncBuiltinESMExports();
}
