/**
 * Runs in the master. `signal`: to every worker that listens for it. TERM, INT, HUP and QUIT go by a message, since the
 * workers are shielded from those of others; all others by kill(2). A worker that has no handler for a
 * signal which would end it does not get it, unless the signal is there to end processes.
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { ControlResult, SignalledWorker } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { signalNamed } from '../../shared/signal-names.js';
import type { CommandContext } from './context.js';

const SHIELDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'];
/** Whoever sends one of these wants the process to end, handler or not. */
const MEANT_TO_END = ['SIGKILL', 'SIGABRT', 'SIGIOT', 'SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP', 'SIGSYS'];
/** Nothing happens to a process that does not listen for them (signal(7)). */
const HARMLESS = ['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH'];

export async function signal({ effects, supervisor, appName }: CommandContext, word: unknown): Promise<ControlResult> {
  const name = signalNamed(typeof word === 'string' ? word : '', constants.signals) as NodeJS.Signals;
  const sent: SignalledWorker[] = [];
  const unheard: SignalledWorker[] = [];
  const present = [...effects.workers.entries()].filter(
    ([id]) => supervisor.state.workers[id]?.status.state !== 'killing',
  );
  await Promise.all(
    present.map(async ([, worker]) => {
      const { pid } = worker;
      if (pid === null) return;
      const { slot, generation } = worker.identity;
      const isHeard = SHIELDED.includes(name) ? await worker.signal(name) : send(pid, name);
      if (isHeard !== null) (isHeard ? sent : unheard).push({ slot, generation, pid });
    }),
  );
  if (sent.length === 0) throw nobodyListens(appName, name, unheard);
  const rest = unheard.length === 0 ? '' : `; without a handler, and so left alone: ${listOf(unheard)}`;
  const end = MEANT_TO_END.includes(name) ? '; whoever it ends is started again, as after a crash' : '';
  const message = `${name} sent to ${listOf(sent)}${end}${rest}`;
  return {
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'signal',
    signal: name,
    sent,
    unheard,
    message,
  };
}

/** @returns whether it was sent; null where the process has gone */
function send(pid: number, name: NodeJS.Signals): boolean | null {
  if (!MEANT_TO_END.includes(name) && !HARMLESS.includes(name) && !isListenedFor(pid, name)) return false;
  try {
    return process.kill(pid, name);
  } catch {
    return null;
  }
}

/** Caught or ignored, by the kernel's own account (proc(5), SigCgt and SigIgn). Where there is none, it is taken to be. */
function isListenedFor(pid: number, name: NodeJS.Signals): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const bit = 1n << BigInt(constants.signals[name] - 1);
    return [...status.matchAll(/^Sig(?:Cgt|Ign):\s*([\da-f]+)$/gm)].some(
      ([, mask]) => (BigInt(`0x${mask}`) & bit) !== 0n,
    );
  } catch {
    return true;
  }
}

const listOf = (workers: SignalledWorker[]): string =>
  workers.map(({ slot, pid }) => `worker ${slot} (pid ${pid})`).join(', ');

function nobodyListens(app: string, name: string, unheard: SignalledWorker[]): ZdsupError {
  const none = unheard.length === 0;
  return new ZdsupError({
    code: 'ZDSUP_SIGNAL_UNHEARD',
    message: none
      ? `${app} has no worker that could get ${name}`
      : `no worker of ${app} listens for ${name}, which would end it with what it has in flight; none was sent`,
    hint: none
      ? `zdsup status ${app}`
      : `process.on('${name}', ...) in the app; zdsup reload ${app} replaces its workers`,
    exitStatus: 1,
  });
}
