// Stands for a database client: a pool of connections, transactions, and an `end` that waits for them, as those of pg, mysql2 or Prisma
// have it. What it keeps is a file of lines: `begin 7`, then `commit 7`. A `begin` without its `commit` is a broken transaction.
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export class Pool {
  #file;
  #free;
  #waiting = [];
  #running = new Set();
  #ended = false;

  constructor(file, size = 4) {
    this.#file = file;
    this.#free = size;
  }

  /** Settles when it has committed. */
  transaction(id, tookMs) {
    if (this.#ended) return Promise.reject(new Error('the pool has ended'));
    const running = this.#run(id, tookMs).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Takes no more, and settles when what was taken has committed. */
  async end() {
    this.#ended = true;
    await Promise.all(this.#running);
  }

  async #run(id, tookMs) {
    if (this.#free === 0) await new Promise((turn) => this.#waiting.push(turn));
    else this.#free -= 1;
    appendFileSync(this.#file, `begin ${id}\n`);
    await sleep(tookMs);
    appendFileSync(this.#file, `commit ${id}\n`);
    const next = this.#waiting.shift(); // The connection goes to who waits longest.
    if (next) next();
    else this.#free += 1;
  }
}
