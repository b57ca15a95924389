/** What became of every numbered request and of every connection. Zero means zero: a failed assertion prints the whole tally. */
export interface TortureTally {
  answered: number;
  /** Connections opened; no more than clients where none was closed. */
  opened: number;
  /** Answers by another worker than the one before on the same connection. */
  moves: number;
  /** Longest wait from the last byte written to the whole answer, in ms. */
  longestMs: number;
  /** Requests whose connection ended before the answer came. */
  lost: number;
  /**
   * Pipelined behind an answer that said `Connection: close`, and come after it was given: the client is told that they were not served, and
   * sends them again (RFC 9112, 9.3.2). A test that may see one looks that no worker has.
   */
  unserved: number;
  /** Answers to what had been answered. */
  duplicated: number;
  /** Answers that came before their turn. */
  outOfOrder: number;
  /** Answers that ended in their middle. */
  truncated: number;
  /** Answers with another status, body or connection's number. */
  wrong: number;
  /** Connections ended by the server, by how: the client never asks for it. */
  closed: Record<string, number>;
  refused: number;
  /** Requests without an answer for `hungMs`. */
  hung: number;
  /** The first few things that went wrong, in words. */
  notes: string[];
  /** Answers by worker: its generation and process id. */
  answeredBy: Map<string, number>;
  /** When each worker's last answer came, by process id. */
  lastAnswerAt: Map<number, number>;
}

export const emptyTortureTally = (): TortureTally => ({
  answered: 0,
  opened: 0,
  moves: 0,
  longestMs: 0,
  lost: 0,
  unserved: 0,
  duplicated: 0,
  outOfOrder: 0,
  truncated: 0,
  wrong: 0,
  closed: {},
  refused: 0,
  hung: 0,
  notes: [],
  answeredBy: new Map(),
  lastAnswerAt: new Map(),
});

const NOTES = 10;

export function note(tally: TortureTally, text: string): void {
  if (tally.notes.length < NOTES) tally.notes.push(text);
}

export function countClosed(tally: TortureTally, how: string): void {
  tally.closed[how] = (tally.closed[how] ?? 0) + 1;
}

export const closedCount = (tally: TortureTally): number =>
  Object.values(tally.closed).reduce((sum, count) => sum + count, 0);

/** Requests that got no whole, right answer in their turn, once. */
export const badCount = (tally: TortureTally): number =>
  tally.lost + tally.duplicated + tally.outOfOrder + tally.truncated + tally.wrong + tally.refused + tally.hung;

export const tallyLine = (tally: TortureTally): string =>
  [
    `${tally.answered} answered`,
    `${tally.moves} moves seen`,
    `${tally.lost} lost`,
    `${tally.unserved} told to be unserved`,
    `${tally.duplicated} duplicated`,
    `${tally.outOfOrder} out of order`,
    `${tally.truncated} truncated`,
    `${tally.wrong} wrong`,
    `${tally.refused} refused`,
    `${tally.hung} hung`,
    `${closedCount(tally)} closed of ${tally.opened} ${JSON.stringify(tally.closed)}`,
    `longest ${Math.round(tally.longestMs)} ms`,
    ...tally.notes,
  ].join(', ');
