/** Waits for what has no event: another process's state. Bounded; the message says what was seen last. */
const EVERY_MS = 20;

export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  isRight: (seen: T) => boolean = Boolean,
  withinMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (isRight(seen)) return seen;
    if (Date.now() > deadline)
      throw new Error(`not within ${withinMs} ms: ${what}; last seen: ${JSON.stringify(seen)}`);
    await new Promise((again) => setTimeout(again, EVERY_MS));
  }
}
