/** Runs in the CLI. What an app or a release says of itself must neither steer the terminal, nor break a line, nor turn the order of what stands there around. Pure. */

/** Control characters and ends of lines; and what writes from right to left whatever follows. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** For JSON.parse. */
export const onOneLine = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll(STEERING, ' ') : value;

/** A copy, each text of it on one line. @param value as JSON has it */
export const allOnOneLine = <T>(value: T): T => JSON.parse(JSON.stringify(value), onOneLine) as T;
