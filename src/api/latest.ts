/** Pure. A stream of which only the latest counts: whoever is slow to take it misses some, and nothing piles up. For one reader. */
export class Latest<T> {
  private value: { is: T } | null = null;
  private over: { error?: unknown } | null = null;
  private wake: () => void = () => {};

  put(value: T): void {
    if (this.over) return;
    this.value = { is: value };
    this.wake();
  }

  /** What was put last is still taken. The first end wins. */
  end(): void {
    this.over ??= {};
    this.wake();
  }

  /** What was put last is still taken; then the reader's loop throws it. */
  fail(error: unknown): void {
    this.over ??= { error };
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      if (this.value) {
        const { is } = this.value;
        this.value = null;
        yield is;
      } else if (this.over) {
        if ('error' in this.over) throw this.over.error;
        return;
      } else
        await new Promise<void>((wake) => {
          this.wake = wake;
        });
    }
  }
}
