/**
 * Runs in the master. What is told to people once, however often it comes up and in however many workers. What a worker says is not trusted to be of few
 * kinds: each has so many different things told, and all together, and no more are remembered.
 */
const MOST_OF_ONE = 10;
const MOST = 100;

export class SaidOnce {
  private readonly said = new Set<string>();
  private readonly counts = new WeakMap<object, number>();

  constructor(private readonly say: (message: string) => void) {}

  /** @param source whose number of messages is bounded by itself: what others have to say is still told */
  tell(source: object, message: string): void {
    const count = this.counts.get(source) ?? 0;
    if (this.said.has(message) || count >= MOST_OF_ONE || this.said.size >= MOST) return;
    this.counts.set(source, count + 1);
    this.said.add(message);
    this.say(message);
  }
}
