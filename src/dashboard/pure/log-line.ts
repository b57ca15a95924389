/** A line of the log as a person reads it: those that are JSON of the master or of pino with their time, level and message. Pure. */
import { formatClock } from './format.js';
import type { Tone } from './marks.js';

export interface ShownLine {
  text: string;
  tone: Tone;
  /** The master says it, not the app. */
  isOwn: boolean;
}

/** As pino numbers them. */
const LEVELS: Record<number, string> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };

/** What `zdsup logs` shows on a terminal: what is no such line stays as it is. */
export function shownLine(line: string): ShownLine {
  const fields = line.startsWith('{"level":') ? parsed(line) : null;
  return (fields && (mastersOwn(fields) ?? ofPino(fields))) ?? { text: line, tone: 'plain', isOwn: false };
}

function parsed(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null; // Cut short.
  }
}

function mastersOwn({ name, level, time, app, msg }: Record<string, unknown>): ShownLine | null {
  const at = Date.parse(String(time));
  if (name !== 'zdsup' || typeof level !== 'string' || typeof msg !== 'string' || Number.isNaN(at)) return null;
  const tone = level === 'error' || level === 'fatal' ? 'bad' : level === 'warn' ? 'warn' : 'plain';
  return { text: `[${formatClock(at)}] ${app}: ${msg}`, tone, isOwn: true };
}

function ofPino({ level, time, msg, pid: _, hostname: __, name, ...more }: Record<string, unknown>): ShownLine | null {
  const word = LEVELS[Number(level)];
  const at = typeof time === 'number' ? time : Date.parse(String(time));
  if (typeof level !== 'number' || word === undefined || Number.isNaN(at)) return null;
  const rest = Object.keys(more).length === 0 ? '' : JSON.stringify(more);
  const said = [`${word}${typeof name === 'string' ? ` (${name})` : ''}:`, typeof msg === 'string' ? msg : '', rest];
  return {
    text: `[${formatClock(at)}] ${said.filter((part) => part !== '').join(' ')}`,
    tone: level >= 50 ? 'bad' : level >= 40 ? 'warn' : 'plain',
    isOwn: false,
  };
}
