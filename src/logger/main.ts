/**
 * The log process: a child of the master, and the one process that reads what workers write to files. It outlives a master that dies, until the
 * last pipe has ended; it dies alone, for the master holds the pipes too. Runs no user code and takes no part in anything else.
 */
import { readPipe } from '../node-internals/pipes.cjs';
import type { LogNews, LogOrder, LogState, LogTarget } from '../shared/log-messages.js';
import { LogFile } from './log-file.js';
import { Source } from './source.js';

/** The state is told no more often than this, in ms. */
const TELL_EVERY_MS = 1_000;
/** At its end, what a disk does not take within this time is given up, in ms. */
const LAST_WRITES_MS = 5_000;
/** Turns of the event loop in which all that lies in the pipes is read. */
const TURNS = 3;

const app = process.argv[2] ?? '';
process.title = `zdsup ${app} log`;
const files = new Map<string, LogFile>();
const sources = new Map<number, Source>();
let stateTimer: NodeJS.Timeout | null = null;
let ending = false;

// It ends by itself, after everybody whose words it keeps: a service manager's signals come too early.
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const) process.on(name, () => {});
process.on('SIGUSR1', reopen);
process.on('message', (order: LogOrder, handle: unknown) => obey(order, handle));
process.on('disconnect', endWhenDone);

function obey(order: LogOrder, handle: unknown): void {
  switch (order.act) {
    case 'carry':
      carry(order, handle);
      break;
    case 'reopen':
      reopen();
      break;
    case 'flush':
      void flush(order.seq);
      break;
    case 'ping':
      tell({ act: 'pong', seq: order.seq });
      break;
  }
}

function carry({ id, writer, stream, target }: Extract<LogOrder, { act: 'carry' }>, handle: unknown): void {
  if (handle === undefined || handle === null) return; // It has ended on its way.
  const source = new Source(readPipe(handle), writer, stream, fileOf(target), (lines) => {
    sources.delete(id);
    tell({ act: 'ended', id, lines });
    endWhenDone();
  });
  sources.set(id, source);
}

function fileOf(target: LogTarget): LogFile {
  const known = files.get(target.file);
  if (known) {
    known.rotation = target.rotation; // The latest generation's.
    return known;
  }
  const file: LogFile = new LogFile(target, {
    app,
    goOn() {
      for (const source of sources.values()) if (source.file === file) source.goOn();
    },
    changed: tellState,
  });
  files.set(target.file, file);
  return file;
}

function reopen(): void {
  for (const file of files.values()) file.reopen();
}

async function flush(seq: number): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([...files.values()].map((file) => file.flush()));
  tell({ act: 'flushed', seq });
}

function stateNow(): LogState {
  const all = [...files.values()];
  return {
    droppedLines: all.reduce((sum, file) => sum + file.dropped.lines, 0),
    droppedBytes: all.reduce((sum, file) => sum + file.dropped.bytes, 0),
    trouble: all.find((file) => file.trouble !== null)?.trouble ?? null,
  };
}

function tellState(): void {
  if (stateTimer !== null) return;
  stateTimer = setTimeout(() => {
    stateTimer = null;
    tell({ act: 'state', ...stateNow() });
  }, TELL_EVERY_MS);
}

function tell(news: LogNews): void {
  if (process.connected) process.send?.(news, undefined, undefined, () => {});
}

function endWhenDone(): void {
  if (process.connected || sources.size > 0 || ending) return;
  ending = true;
  void Promise.all([...files.values()].map((file) => file.close(LAST_WRITES_MS))).then((done) => {
    // An exit would wait for the write that does not return.
    if (done.every(Boolean)) process.exit(0);
    process.kill(process.pid, 'SIGKILL');
  });
}
