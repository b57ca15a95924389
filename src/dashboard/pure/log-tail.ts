/** The last lines of the log. Pure, but that it keeps them. */
const MOST = 500;

export class LogTail {
  /** Another one: what was there before is not continued. */
  epoch = 0;
  /** Lines of this epoch so far, those that were dropped included. */
  count = 0;
  lines: string[] = [];

  /** The master sends the last ones again. */
  restart(): void {
    this.epoch++;
    this.count = 0;
    this.lines = [];
  }

  append(lines: string[]): void {
    this.lines = [...this.lines, ...lines].slice(-MOST);
    this.count += lines.length;
  }

  /** Those that have come since so many were seen. */
  since(count: number): string[] {
    const more = Math.min(this.lines.length, this.count - count);
    return more === 0 ? [] : this.lines.slice(-more);
  }
}
