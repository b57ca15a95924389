/** Runs in the CLI. What an app or a release says of itself must neither steer the terminal, nor break a line, nor turn the order of what stands there around. Pure. */

/** Control characters and ends of lines; and what writes from right to left whatever follows. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;
/** As above, but for tabs: lines of code begin with them. */
const STEERING_BUT_TABS = /(?:(?!\t)[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])+/gu;
/** A whole one, a colour mostly (ECMA-48, 5.4): without its first character the rest of it would stand there. */
const SEQUENCE = new RegExp(`(?:${String.fromCharCode(0x1b)}\\[|${String.fromCharCode(0x9b)})[0-?]*[ -/]*[@-~]`, 'g');

/** For JSON.parse. */
export const onOneLine = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll(SEQUENCE, '').replaceAll(STEERING, ' ') : value;

/** A copy, each text of it on one line. @param value as JSON has it */
export const allOnOneLine = <T>(value: T): T => JSON.parse(JSON.stringify(value), onOneLine) as T;

/** What has lines of its own, as last words have: they stay, and tabs. */
export const inLines = (text: string): string =>
  text
    .split(/\r?\n/)
    .map((line) => line.replaceAll(SEQUENCE, '').replaceAll(STEERING_BUT_TABS, ' '))
    .join('\n');
