/**
 * Runs in the CLI. What `status --watch` shows at one moment: snapshots and the size of a terminal make lines, never more of them and never longer ones than
 * it has. Where not all fits, what is wanted most is there, and what is left out is said. Pure, but for the styles of stdout.
 */
import type { AppSnapshot } from '../../shared/snapshot.js';
import type { StatusLine, Topic } from '../render/status-lines.js';
import { isUp, statusLines } from '../render/status-lines.js';
import { drainLines, generationTable } from '../render/status-tables.js';
import { styles } from '../render/style.js';
import { clip, wrap } from './text.js';
import type { WorkerRows } from './worker-rows.js';
import { heightOf, leastCount, linesOfRows, rowsOf } from './worker-rows.js';

export interface Size {
  columns: number;
  rows: number;
}

/** What has befallen an app while it is watched. */
export interface Happening {
  app: string;
  /** ISO 8601 instant. */
  at: string;
  message: string;
}

export interface View {
  apps: AppSnapshot[];
  /** Oldest first. */
  happenings: Happening[];
  /** Said in the last row, where something is amiss with the watching itself. */
  note: string | null;
}

export interface Frame {
  lines: string[];
  /** Of the last row; null where there is no room for one. */
  footer: string | null;
}

/** On a smaller terminal nothing could be read. */
export const LEAST: Size = { columns: 30, rows: 5 };

/** What stands behind the name of a line begins here. */
const INDENT = 11;

/** What finds room first. `workers` are some of them, `allWorkers` the others. */
const LEVELS = [
  ['rollout', 'canary', 'log'],
  ['traffic'],
  ['generations'],
  ['soak', 'recycling', 'parked'],
  ['reasons'],
  ['gaps'],
  ['workers'],
  ['to release', 'release', 'listening'],
  ['allWorkers'],
  ['blanks'],
  ['drains'],
  ['master'],
] as const;
type Wanted = (typeof LEVELS)[number][number];

/** What is longer than a line is clipped, but goes on below, where there is room, of these, and of the title of what does not run: at `reasons`. */
const WITH_REASONS: readonly Wanted[] = [...LEVELS[0], ...LEVELS[3]];

/** What there is to show of an app, from top to bottom. */
interface Piece {
  /** Of a title there is always one line. */
  wanted: Wanted | 'title';
  lines: string[];
  /** Of one line: all of it, where it may go on below. */
  whole: string[];
}

interface Block {
  title: Piece;
  above: Piece[];
  workers: WorkerRows | null;
  below: Piece[];
  /** Those that have found room, with so many lines more than their own. */
  shown: Map<Piece, number>;
  workerCount: number;
  /** An empty line comes first. */
  gap: boolean;
}

export function frame({ apps, happenings, note }: View, size: Size, now: number): Frame {
  if (size.columns < LEAST.columns || size.rows < LEAST.rows) return tooSmall(size);
  const space = size.rows - 1;
  const blocks = mostWanted(apps, space).map((app) => blockOf(app, now, size.columns));
  const room = fill(blocks, space - blocks.length);
  const lines = blocks.length === 0 ? [NOTHING] : blocks.flatMap(linesOf);
  if (room > 1 && happenings.length > 0) lines.push('', ...happenings.slice(1 - room).map(inWords));
  const footer = ['q quits', note, leftOut(blocks, apps.length)].filter((words) => words !== null).join('; ');
  return {
    lines: lines.map((line) => clip(line, size.columns)),
    footer: styles(process.stdout).dim(clip(footer, size.columns)),
  };
}

const NOTHING = 'no app is running; start one with zdsup start <script>';

function tooSmall({ columns, rows }: Size): Frame {
  const words = `${columns}×${rows} is too small: ${LEAST.columns}×${LEAST.rows} is the least; q quits`;
  return { lines: wrap(words, columns, 0).slice(0, rows), footer: null };
}

const inWords = ({ app, at, message }: Happening): string =>
  `${new Date(at).toTimeString().slice(0, 8)}  ${app}: ${message}`;

/** In their order; where there is no line for each, those that something happens to. */
function mostWanted(apps: AppSnapshot[], room: number): AppSnapshot[] {
  if (apps.length <= room) return apps;
  const rank = ({ state, rollout, ended }: AppSnapshot): number =>
    ended ? 2 : Number(state === 'running' && rollout?.outcome !== null);
  const chosen = new Set([...apps].sort((one, other) => rank(one) - rank(other)).slice(0, room));
  return apps.filter((app) => chosen.has(app));
}

function blockOf(app: AppSnapshot, now: number, columns: number): Block {
  const piece = (wanted: Wanted, ...lines: string[]): Piece => ({ wanted, lines, whole: [] });
  const [{ text }, ...said] = statusLines(app, now) as [StatusLine, ...StatusLine[]];
  // Of what does not run it is all that is said: why it ended, and what brings it back.
  const title: Piece = { wanted: 'title', lines: [text], whole: isUp(app) ? [] : wrap(text, columns, INDENT) };
  const above = said.map(({ topic, text }) => ({
    ...piece(topic as Exclude<Topic, 'title'>, clip(text, columns)),
    whole: WITH_REASONS.includes(topic as Wanted) ? wrap(text, columns, INDENT) : [],
  }));
  const generations = isUp(app) ? generationTable(app, columns) : null;
  if (generations !== null) above.push(piece('blanks', ''), piece('generations', ...generations));
  const workers = isUp(app) && app.workers.length > 0 ? rowsOf(app, now, columns) : null;
  if (workers !== null) above.push(piece('blanks', ''));
  else if (isUp(app)) above.push(piece('workers', styles(process.stdout).dim('workers    none')));
  const below = drainLines(app).map((line) => piece('drains', line));
  return { title, above, workers, below, shown: new Map([[title, 0]]), workerCount: 0, gap: false };
}

/** Gives out the room, level by level. @returns what is left of it */
function fill(blocks: Block[], space: number): number {
  let room = space;
  const take = (count: number): boolean => {
    if (count > room) return false;
    room -= count;
    return true;
  };
  for (const level of LEVELS) {
    const isAt = (wanted: Piece['wanted']): boolean => (level as readonly Piece['wanted'][]).includes(wanted);
    // Between all of them or none: one gap alone would say that the others belong together.
    if (isAt('gaps') && take(Math.max(0, blocks.length - 1))) for (const block of blocks.slice(1)) block.gap = true;
    if (isAt('allWorkers')) giveRows(blocks, take);
    for (const block of blocks) {
      const { title, above, below, shown, workers } = block;
      for (const piece of [title, ...above, ...below]) {
        if (isAt(piece.wanted) && take(piece.lines.length)) shown.set(piece, 0);
        if (!isAt('reasons') || !shown.has(piece) || piece.whole.length < 2) continue;
        const more = Math.min(room, piece.whole.length - 1);
        if (take(more)) shown.set(piece, more);
      }
      if (isAt('workers') && workers && take(heightOf(workers, leastCount(workers))))
        block.workerCount = leastCount(workers);
    }
  }
  return room;
}

/** One more to each app in turn, as long as there is room. */
function giveRows(blocks: Block[], take: (count: number) => boolean): void {
  let given = true;
  while (given) {
    given = false;
    for (const block of blocks) {
      const { workers, workerCount } = block;
      if (workers === null || workerCount === 0 || workerCount === workers.rows.length) continue;
      // The last one costs nothing: it takes the place of the line that says that there is one more.
      if (!take(heightOf(workers, workerCount + 1) - heightOf(workers, workerCount))) continue;
      block.workerCount += 1;
      given = true;
    }
  }
}

function linesOf({ title, above, workers, below, shown, workerCount, gap }: Block): string[] {
  const linesOfPieces = (pieces: Piece[]): string[] =>
    pieces.flatMap((piece) => {
      const more = shown.get(piece);
      if (more === undefined) return [];
      return more === 0 ? piece.lines : beginningOf(piece.whole, more + 1);
    });
  const table = workers === null ? [] : linesOfRows(workers, workerCount);
  return [...(gap ? [''] : []), ...linesOfPieces([title, ...above]), ...table, ...linesOfPieces(below)];
}

/** What does not fit goes on in the last line, which is clipped. */
const beginningOf = (whole: string[], count: number): string[] =>
  whole.length <= count
    ? whole
    : [...whole.slice(0, count - 1), [whole[count - 1]!, ...whole.slice(count).map((line) => line.trim())].join(' ')];

/** Null where all is there. */
function leftOut(blocks: Block[], appCount: number): string | null {
  let [workers, lines] = [0, 0];
  for (const block of blocks) {
    workers += (block.workers?.rows.length ?? 0) - block.workerCount;
    for (const piece of [...block.above, ...block.below])
      if (!block.shown.has(piece) && piece.wanted !== 'blanks') lines += piece.lines.length;
  }
  const counts = [counted(appCount - blocks.length, 'app'), counted(workers, 'worker'), counted(lines, 'line')];
  const words = counts.filter((count) => count !== null).join(', ');
  return words === '' ? null : `left out: ${words}`;
}

const counted = (count: number, word: string): string | null =>
  count === 0 ? null : `${count} ${word}${count === 1 ? '' : 's'}`;
