/** Runs in the CLI. A duration that was given as a bare number is in ms; so few of them were most often meant as seconds. */

const LEAST_MS = 1_000;

/** One line on stderr, where it may be a slip. What is no duration is refused elsewhere. */
export function noteUnitless(flag: string, value: string | undefined): void {
  const note = unitlessNote(flag, value);
  if (note !== null) process.stderr.write(`note: ${note}\n`);
}

export function unitlessNote(flag: string, value: string | undefined): string | null {
  const number = /^\d+$/.test(value ?? '') ? Number(value) : 0;
  if (number === 0 || number >= LEAST_MS) return null;
  return `${flag} ${number} is ${number} ms; ${number}s is ${number} second${number === 1 ? '' : 's'}`;
}
