/** What the kernel says of processes and sockets (Linux, proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.js';

export const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

export const rssMbOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

/** Time it has computed, user and system, in ms: the kernel counts in hundredths of a second. */
export function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Settles when no process has a socket on this port whose other end has closed: each is one for a moment, and a forgotten one for ever. */
export async function noneInCloseWait(port: number): Promise<void> {
  await until(
    'no socket is in CLOSE-WAIT',
    () => closeWaits(port),
    (count) => count === 0,
  );
}

function closeWaits(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['tcp', 'tcp6']
    .flatMap((table) => readFileSync(`/proc/net/${table}`, 'utf8').split('\n'))
    .filter((line) => {
      const [, address, , state] = line.trim().split(/\s+/);
      return address?.endsWith(local) && state === '08';
    }).length;
}

/** Alive, or a zombie that nobody has collected: both are left over. */
export function isLeft(pid: number): boolean {
  try {
    readFileSync(`/proc/${pid}/stat`);
    return true;
  } catch {
    return false;
  }
}

/** Ids are used again: is `pid` a process (or its zombie, a child of `parent`) that was started with this in its environment? */
export function isLeftOf(pid: number, parent: number, variable: string): boolean {
  if (!isLeft(pid)) return false;
  try {
    const [state, ppid] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    if (state === 'Z') return Number(ppid) === parent;
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(variable);
  } catch {
    return false;
  }
}
