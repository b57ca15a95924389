/** How every bad input is answered. */
import { expect } from 'vitest';
import type { Finished } from './zdsup.js';

/** One error with its code, a hint, no stack trace, and nothing on stdout. */
export function expectRefusal({ code, stderr, stdout }: Finished, exitStatus: number, says: RegExp): void {
  expect(stderr).toMatch(says);
  expect({ code, stdout }).toEqual({ code: exitStatus, stdout: '' });
  expect(stderr.match(/^error: /gm), 'one error').toHaveLength(1);
  expect(stderr, 'its code and a hint').toMatch(/^error: .+ \(ZDSUP_\w+\)\nhint: \S.*\n$/m);
  expect(stderr, 'no stack trace').not.toMatch(/\n\s+at /);
}
