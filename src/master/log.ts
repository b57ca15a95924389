/** Runs in the master. Its own events, through pino, on stderr: stdout belongs to the app. */

import type { DestinationStream, Logger } from 'pino';
import pino from 'pino';

export type { Logger } from 'pino';
export type LogFormat = 'json' | 'pretty';

/** @param format by default pretty on a terminal, JSON elsewhere */
export async function makeLogger(
  app: string,
  format: LogFormat = process.stderr.isTTY ? 'pretty' : 'json',
): Promise<Logger> {
  const stream = format === 'pretty' ? await prettyStream() : pino.destination({ fd: 2, sync: true });
  // A closed terminal or pipe must not end the master.
  (stream as unknown as NodeJS.EventEmitter).on?.('error', () => {});
  return pino(
    {
      name: 'zdsup',
      base: { app },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    stream,
  );
}

async function prettyStream(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    destination: 2,
    sync: true,
    colorize: process.stderr.isTTY && !process.env.NO_COLOR,
    translateTime: 'SYS:HH:MM:ss',
    messageFormat: '{app}: {msg}',
    ignore: 'pid,hostname,name,app,generation,slot,kind,activeCount,wantedCount,event',
  });
}
