/** What an app may write, or be called: and what a terminal is to get of it. */

/** Clears the screen, sets its title, moves up, turns letters around, ends a text, goes back, breaks a line; and a colour. */
export const HOSTILE = '\x1b[2J\x1b]0;title\x07\x1b[1A\u202eevil\0\b\u2028\x1b[31mred\x1b[39m\x9b2J';

const STEERS = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** What of it would steer the terminal. */
export const steering = (text: string): string[] => [...text.matchAll(STEERS)].map(([found]) => JSON.stringify(found));
