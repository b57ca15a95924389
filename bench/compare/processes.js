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

/** Parent, own CPU and that of the children it has reaped, in microseconds, from a line of /proc/<pid>/stat; null where it has gone. */
export function parseStat(line) {
  if (line === '') return null;
  // The name may hold blanks and brackets: what counts begins behind its last bracket.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [user, system, reapedUser, reapedSystem] = fields.slice(11, 15).map(Number);
  return {
    parent: Number(fields[1]),
    ownUs: (user + system) * TICK_US,
    reapedUs: (reapedUser + reapedSystem) * TICK_US,
  };
}

/** The process and all that descend from it, as parsed. */
function tree(root) {
  const children = new Map();
  const stats = new Map();
  for (const pid of pids().map(Number)) {
    const stat = parseStat(read(pid, 'stat'));
    if (stat === null) continue;
    stats.set(pid, stat);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  const members = [];
  const open = stats.has(root) ? [root] : [];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    members.push({ pid, ...stats.get(pid) });
    open.push(...(children.get(pid) ?? []));
  }
  return members;
}

/** CPU of all threads of a process, from the scheduler's own count in ns; null where the kernel does not tell. */
function threadsUs(pid) {
  let totalNs = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const ranNs = /^\d+/.exec(read(pid, `task/${thread}/schedstat`));
      if (ranNs === null) return null;
      totalNs += Number(ranNs[0]);
    }
  } catch {
    return null;
  }
  return totalNs / 1_000;
}

/** CPU that a process, its descendants, and those of them that were reaped have taken, user and system, in microseconds. */
export function cpuUs(root) {
  return tree(root).reduce((sum, { pid, ownUs, reapedUs }) => sum + (threadsUs(pid) ?? ownUs) + reapedUs, 0);
}

const mb = (text, pattern) =>
  [...text.matchAll(pattern)].reduce((total, [, kilobytes]) => total + Number(kilobytes), 0) / 1024;

/** What is resident, shared pages included: what `ps` shows. */
const residentMb = (pid) => mb(read(pid, 'status'), /^VmRSS:\s+(\d+)/gm);

/** What the process holds for itself, and its end would give back. Unlike RSS it may be added up, and unlike PSS it does not depend on who else runs Node. */
const privateMb = (pid) => mb(read(pid, 'smaps_rollup'), /^Private_(?:Clean|Dirty):\s+(\d+)/gm);

/** Memory of the master and of one worker (RSS, the mean), and of the whole tree (private). Where all is one process the first two are null. */
export function memoryOf(root, workerPids) {
  const workers = workerPids.filter((pid) => pid !== root);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  return {
    master: workers.length === 0 ? null : residentMb(root),
    worker: workers.length === 0 ? null : sum(workers.map(residentMb)) / workers.length,
    total: sum(tree(root).map(({ pid }) => privateMb(pid))),
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
