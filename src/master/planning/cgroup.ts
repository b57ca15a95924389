/**
 * Runs in the planner. What the kernel lets this process and its workers have: the CPU quota and the memory limit of its cgroup, v1 and v2. In a
 * container, and under a service manager, they are not the host's. A limit counts in every group up to the root, so all of them are looked at. Node
 * knows some of it (`availableParallelism`: the affinity, and in newer ones the quota; `constrainedMemory`: that of its own group).
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join, relative } from 'node:path';

export interface HostLimits {
  /** Workers that can run at once: whole CPUs, at least 1. */
  cpus: number;
  memoryBytes: number;
}

/** Text of a file; null where it cannot be read. */
export type ReadFile = (path: string) => string | null;

const readFile: ReadFile = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

/** What the host has, and what the cgroup lets one have of it. Never throws: what cannot be read limits nothing. */
export function hostLimits(
  read: ReadFile = readFile,
  host: HostLimits = { cpus: availableParallelism(), memoryBytes: totalmem() },
): HostLimits {
  const cpus = Math.min(...groupsOf('cpu', read).map((group) => cpuQuotaOf(group, read)));
  const memory = Math.min(...groupsOf('memory', read).map((group) => memoryLimitOf(group, read)));
  // Part of a CPU is nobody's worker, but for the first: with 2.5 of them, a third one would have the others wait.
  return { cpus: Math.max(1, Math.min(host.cpus, Math.floor(cpus))), memoryBytes: Math.min(host.memoryBytes, memory) };
}

interface Group {
  version: 1 | 2;
  folder: string;
}

/** The process's own group and those above it, as far as they can be seen, in both hierarchies. */
function groupsOf(controller: 'cpu' | 'memory', read: ReadFile): Group[] {
  const mounts = mountsIn(read('/proc/self/mountinfo') ?? '');
  return membershipsIn(read('/proc/self/cgroup') ?? '').flatMap(({ controllers, path }) => {
    const version = controllers.length === 0 ? 2 : 1;
    if (version === 1 && !controllers.includes(controller)) return [];
    const mount = mounts.find((one) => one.version === version && (version === 2 || one.options.includes(controller)));
    return mount ? upwards(mount, path).map((folder) => ({ version, folder }) as const) : [];
  });
}

interface Mount {
  version: 1 | 2;
  /** The group that is mounted there. */
  root: string;
  point: string;
  options: string[];
}

/** Lines as `36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`: proc_pid_mountinfo(5). */
function mountsIn(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = (before ?? '').split(' ');
    const [type, , options = ''] = (after ?? '').split(' ');
    if (root === undefined || point === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
    return [
      { version: type === 'cgroup2' ? 2 : 1, root: spelt(root), point: spelt(point), options: options.split(',') },
    ];
  });
}

/** Blanks and the like are written as octal there. */
const spelt = (path: string): string =>
  path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Lines as `4:cpu,cpuacct:/app` and, of v2, `0::/app`: cgroups(7). */
function membershipsIn(text: string): { controllers: string[]; path: string }[] {
  return text.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return path === undefined ? [] : [{ controllers: controllers!.split(',').filter(Boolean), path }];
  });
}

/** From the group up to what is mounted. A group that lies outside of that (a container's view) counts as the mounted one. */
function upwards({ root, point }: Mount, path: string): string[] {
  const below = relative(root, path);
  const folders = [point];
  if (below === '' || below.startsWith('..') || path.includes('/..')) return folders;
  for (const part of below.split('/')) folders.unshift(join(folders[0]!, part));
  return folders;
}

const number = (text: string | undefined | null): number | null => {
  const trimmed = text?.trim() ?? '';
  return /^-?\d+$/.test(trimmed) ? Number(trimmed) : null;
};

/** In CPUs. v2: `50000 100000` or `max 100000` in one file; v1: two files, -1 for none. */
function cpuQuotaOf({ version, folder }: Group, read: ReadFile): number {
  const [quota, period] =
    version === 2
      ? (read(join(folder, 'cpu.max')) ?? '').trim().split(' ').map(number)
      : ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => number(read(join(folder, name))));
  return quota && period && quota > 0 && period > 0 ? quota / period : Number.POSITIVE_INFINITY;
}

/** v2: bytes or `max`; v1 writes a huge number for none, which is more than any host has. */
function memoryLimitOf({ version, folder }: Group, read: ReadFile): number {
  const limit = number(read(join(folder, version === 2 ? 'memory.max' : 'memory.limit_in_bytes')));
  return limit !== null && limit > 0 ? limit : Number.POSITIVE_INFINITY;
}
