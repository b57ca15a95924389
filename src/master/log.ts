/** Runs in the master. Its own events, through pino, on stderr: stdout belongs to the app. */

import type { DestinationStream, Logger } from 'pino';
import pino from 'pino';

export type { Logger } from 'pino';
export type LogFormat = 'json' | 'pretty';

/**
 * Writes through `process.stderr`, as the workers' lines do: none ends up inside another, a reader that stalls
 * holds up no decision (a synchronous write would wait for it), and one that has gone is no error.
 * @param format by default pretty on a terminal, JSON elsewhere
 */
export async function makeLogger(
  app: string,
  format: LogFormat = process.stderr.isTTY ? 'pretty' : 'json',
): Promise<Logger> {
  process.stderr.on('error', () => {});
  return pino(
    {
      name: 'zdsup',
      base: { app },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    format === 'pretty' ? await prettyStream() : process.stderr,
  );
}

async function prettyStream(): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const prettify = prettyFactory({
    colorize: process.stderr.isTTY && process.stderr.hasColors() && !process.env.NO_COLOR,
    translateTime: 'SYS:HH:MM:ss',
    messageFormat: '{app}: {msg}',
    ignore: 'pid,hostname,name,app,generation,slot,kind,activeCount,wantedCount,event,signal',
  });
  return { write: (line) => void process.stderr.write(prettify(line)) };
}
