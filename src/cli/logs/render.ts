/** Runs in the CLI. A line of a log as it is shown: as it was written, as JSON, or for people at a terminal. */
import type { prettyFactory } from 'pino-pretty';
import type { styles } from '../render/style.js';
import type { LogLine, Origin } from './line.js';

type Styles = ReturnType<typeof styles>;
export type Render = (line: LogLine) => Buffer | string;

export const asWritten: Render = ({ bytes, unfinished }) =>
  unfinished ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);

export const asJson =
  (app: string): Render =>
  ({ bytes, origin }) =>
    `${JSON.stringify({ app, line: bytes.toString().replace(/\r$/, ''), ...(origin ? known(origin) : {}) })}\n`;

function known({ at, writer, stream }: Origin): object {
  const who = writer === null ? { worker: null } : { worker: writer.slot, generation: writer.generation };
  return { time: new Date(at).toISOString(), ...who, stream: stream === 'err' ? 'stderr' : 'stdout' };
}

/**
 * The master's own lines, which are JSON, are told as a foreground master tells them there; those of pino in an app as `pino-pretty` does; and each worker's
 * with its label.
 * @param pretty loaded when the first such line comes
 */
export function forPeople(style: Styles, pretty: () => Promise<ReturnType<typeof prettyFactory>>) {
  let prettify: ReturnType<typeof prettyFactory> | undefined;
  return async ({ bytes, origin, unfinished }: LogLine): Promise<string> => {
    const line = bytes.toString();
    const own = mastersOwn(line, style);
    if (own !== null) return `${own}\n`;
    const label = origin?.writer ? style.dim(`${origin.writer.generation}.${origin.writer.slot} | `) : '';
    if (!isPino(line)) return `${label}${line}${unfinished ? '' : '\n'}`;
    prettify ??= await pretty();
    return `${label}${prettify(line).trimEnd()}\n`;
  };
}

/** As pino writes it by default: a level in numbers, an instant. */
const isPino = (line: string): boolean => /^\{"level":\d+,"time":/.test(line) && line.endsWith('}');

function mastersOwn(line: string, { red, yellow, dim }: Styles): string | null {
  if (!line.startsWith('{"level":') || !line.includes('"name":"zdsup"')) return null;
  try {
    const { level, time, app, msg } = JSON.parse(line) as Record<'level' | 'time' | 'app' | 'msg', string>;
    const said = level === 'error' ? red(msg) : level === 'warn' ? yellow(msg) : msg;
    return `${dim(`[${new Date(time).toTimeString().slice(0, 8)}] ${app}:`)} ${said}`;
  } catch {
    return null; // Cut short by a full disk.
  }
}
