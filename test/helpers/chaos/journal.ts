/** What the processes of fixtures/chaos-app have noted, each in a file of its own: which of them had a request, or a connection. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Between the clocks of two processes, which read the same one, and the turns of their event loops, in ms. */
const SLACK_MS = 5;

export class Journal {
  /** All that have ever run the app's code. */
  readonly pids: number[] = [];
  private readonly requests = new Map<string, number>();
  private readonly connections = new Map<number, { pid: number; at: number }[]>();

  constructor(folder: string) {
    for (const name of readdirSync(folder)) {
      const pid = Number(name);
      this.pids.push(pid);
      for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
        const [what, of, at] = line.split(' ');
        if (what === 'request') this.requests.set(of!, pid);
        if (what === 'connection') {
          const port = Number(of);
          const all = this.connections.get(port) ?? [];
          all.push({ pid, at: Number(at) });
          this.connections.set(port, all);
        }
      }
    }
  }

  /** Who had begun with this request. */
  beganWith(id: string): number | undefined {
    return this.requests.get(id);
  }

  /** Who had the connection last that was open from `from` to `to`, for it may change worker; a port is used again only after. */
  had(port: number, from: number, to: number): number | undefined {
    const during = this.connections.get(port)?.filter(({ at }) => at >= from - SLACK_MS && at <= to + SLACK_MS);
    return during?.toSorted((a, b) => b.at - a.at)[0]?.pid;
  }
}
