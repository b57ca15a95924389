// What /proc says of a runner's processes: who they are, what CPU they took, what memory they hold; and how they are ended.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Linux counts CPU time for user space in hundredths of a second. */
const TICK_US = 10_000;

const pids = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** A file of /proc, or '' where its process has gone meanwhile or is another user's. */
function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

/** Parent and CPU ticks from one line of /proc/<pid>/stat, those of children it has reaped included; null where it has gone. */
export function parseStat(line) {
  if (line === '') return null;
  // The name may hold blanks and brackets: what counts begins behind its last bracket.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) };
}

/** The process and all that descend from it, each with its CPU ticks. */
function tree(root) {
  const children = new Map();
  const ticks = new Map();
  for (const pid of pids().map(Number)) {
    const stat = parseStat(read(pid, 'stat'));
    if (stat === null) continue;
    ticks.set(pid, stat.ticks);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  const members = [];
  const open = ticks.has(root) ? [root] : [];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    members.push({ pid, ticks: ticks.get(pid) });
    open.push(...(children.get(pid) ?? []));
  }
  return members;
}

/** CPU that a process, its descendants, and those of them that were reaped have taken, in microseconds. */
export function cpuUs(root) {
  return tree(root).reduce((sum, member) => sum + member.ticks, 0) * TICK_US;
}

/** Memory in MB: each page shared by n processes counts 1/n (PSS), so that the processes of one runner may be added up. */
function memoryMb(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(read(pid, 'smaps_rollup'))?.[1] ?? 0) / 1024;
}

/** Memory of the master, of one worker (the mean), and of the whole tree. Where all is one process the first two are null. */
export function memoryOf(root, workerPids) {
  const workers = workerPids.filter((pid) => pid !== root);
  const sum = (members) => members.reduce((total, pid) => total + memoryMb(pid), 0);
  return {
    master: workers.length === 0 ? null : memoryMb(root),
    worker: workers.length === 0 ? null : sum(workers) / workers.length,
    total: sum(tree(root).map((member) => member.pid)),
  };
}

/** Those that were started with `mark` in their environment: a folder of this run's own, so they are this run's own too. */
function marked(mark) {
  return pids()
    .map(Number)
    .filter((pid) => pid !== process.pid && read(pid, 'environ').includes(mark));
}

/** Ends every process of the mark, by its id; resolves when none is left. */
export async function endMarked(mark) {
  for (let left = marked(mark); left.length > 0; left = marked(mark)) {
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has gone by itself.
      }
    }
    await pause(20);
  }
}
