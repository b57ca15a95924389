/**
 * Runs in the master. How many connections its HTTP has at once. Beyond that one makes room for the newcomer, so that nobody who holds them all locks the
 * checks of health out: the oldest that rests, where there is one, else the oldest of all, whatever it waits for. Those of pages stay: they have shown the
 * token, and are bounded by themselves.
 */
import type { Socket } from 'node:net';

/** Until then one that has asked for nothing yet is on its way to, in ms: where all others ask, each newcomer would else send the one before it away. */
const ON_ITS_WAY_MS = 1_000;

export class Room {
  /** By age, since it came or had its last answer: from when on it rests. */
  private readonly restsAt = new Map<Socket, number>();
  private readonly pages = new Set<Socket>();

  /** @param crowded called for each that had to go */
  constructor(
    private readonly most: number,
    private readonly crowded: () => void,
  ) {}

  enter(socket: Socket): void {
    this.restsAt.set(socket, performance.now() + ON_ITS_WAY_MS);
    socket.on('close', () => this.forget(socket));
    if (this.restsAt.size + this.pages.size > this.most) this.makeRoom();
  }

  /** A request of it is under way. */
  asks(socket: Socket): void {
    if (this.restsAt.has(socket)) this.restsAt.set(socket, Number.POSITIVE_INFINITY);
  }

  rests(socket: Socket): void {
    if (this.restsAt.delete(socket)) this.restsAt.set(socket, performance.now());
  }

  /** It is a page's. */
  stays(socket: Socket): void {
    if (this.restsAt.delete(socket)) this.pages.add(socket);
  }

  /** Where all others are pages', the newcomer goes itself: it is the youngest. */
  private makeRoom(): void {
    const now = performance.now();
    const all = [...this.restsAt];
    const [goes] = all.find(([, restsAt]) => restsAt <= now) ?? all[0]!;
    this.forget(goes); // It has closed only in a later turn.
    goes.destroy();
    this.crowded();
  }

  private forget(socket: Socket): void {
    this.restsAt.delete(socket);
    this.pages.delete(socket);
  }
}
