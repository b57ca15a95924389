/** CPU quota and memory limit out of trees of cgroup files, as kernels, containers and service managers have them. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hostLimits } from '../../../src/master/planning/cgroup.js';

const GB = 2 ** 30;
const HOST = { cpus: 8, memoryBytes: 16 * GB };
/** What v1 writes for none. */
const NONE = '9223372036854771712\n';

const V2 = '30 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const V1 =
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n' +
  '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n';

const limitsIn = (files: Record<string, string>) => hostLimits((path) => files[path] ?? null, HOST);

describe('the limits of the host', () => {
  test('are the host itself where there is no cgroup, or where nothing can be read', () => {
    expect(limitsIn({})).toEqual(HOST);
    expect(limitsIn({ '/proc/self/cgroup': '0::/gone\n', '/proc/self/mountinfo': V2 })).toEqual(HOST);
    expect(limitsIn({ '/proc/self/cgroup': 'nonsense\n', '/proc/self/mountinfo': 'nonsense - cgroup2\n' })).toEqual(
      HOST,
    );
  });

  test('of v2 are those of the own group', () => {
    expect(
      limitsIn({
        '/proc/self/cgroup': '0::/system.slice/shop.service\n',
        '/proc/self/mountinfo': V2,
        '/sys/fs/cgroup/system.slice/shop.service/cpu.max': '250000 100000\n',
        '/sys/fs/cgroup/system.slice/shop.service/memory.max': '1073741824\n',
      }),
    ).toEqual({ cpus: 2, memoryBytes: GB });
  });

  test('are the smallest of all groups up to the root', () => {
    expect(
      limitsIn({
        '/proc/self/cgroup': '0::/a.slice/b.slice/shop.service\n',
        '/proc/self/mountinfo': V2,
        '/sys/fs/cgroup/a.slice/cpu.max': '300000 100000\n',
        '/sys/fs/cgroup/a.slice/memory.max': 'max\n',
        '/sys/fs/cgroup/a.slice/b.slice/cpu.max': 'max 100000\n',
        '/sys/fs/cgroup/a.slice/b.slice/memory.max': `${2 * GB}\n`,
        '/sys/fs/cgroup/a.slice/b.slice/shop.service/cpu.max': '400000 100000\n',
        '/sys/fs/cgroup/a.slice/b.slice/shop.service/memory.max': `${4 * GB}\n`,
      }),
    ).toEqual({ cpus: 3, memoryBytes: 2 * GB });
  });

  test('never come to less than one CPU, nor to more than the affinity leaves', () => {
    const files = { '/proc/self/cgroup': '0::/\n', '/proc/self/mountinfo': V2 };
    expect(limitsIn({ ...files, '/sys/fs/cgroup/cpu.max': '50000 100000\n' }).cpus).toBe(1);
    expect(limitsIn({ ...files, '/sys/fs/cgroup/cpu.max': '3200000 100000\n' }).cpus).toBe(8);
  });

  test('of v1 lie in a hierarchy for each controller', () => {
    expect(
      limitsIn({
        '/proc/self/cgroup': '12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n',
        '/proc/self/mountinfo': V1,
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
        '/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us': '200000\n',
        '/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us': '100000\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': NONE,
        '/sys/fs/cgroup/memory/docker/memory.limit_in_bytes': `${3 * GB}\n`,
        '/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': NONE,
      }),
    ).toEqual({ cpus: 2, memoryBytes: 3 * GB });
  });

  test('of a container are at the mount point, whatever the host calls its group', () => {
    const mountinfo = V1.replaceAll(' / /sys', ' /docker/abc /sys');
    const files = {
      '/proc/self/mountinfo': mountinfo,
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${GB}\n`,
      '/sys/fs/cgroup/memory/app/memory.limit_in_bytes': `${GB / 2}\n`,
    };
    expect(limitsIn({ ...files, '/proc/self/cgroup': '4:memory:/docker/abc\n' }).memoryBytes).toBe(GB);
    expect(limitsIn({ ...files, '/proc/self/cgroup': '4:memory:/docker/abc/app\n' }).memoryBytes).toBe(GB / 2);
    // A namespace that was entered later: the own group lies outside of what is to be seen.
    expect(limitsIn({ ...files, '/proc/self/cgroup': '4:memory:/../../other\n' }).memoryBytes).toBe(GB);
  });

  test('are found where the hierarchies are mixed: v1 controllers beside an empty v2', () => {
    expect(
      limitsIn({
        '/proc/self/cgroup': '4:memory:/app\n0::/\n',
        '/proc/self/mountinfo': `${V1}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
        '/sys/fs/cgroup/memory/app/memory.limit_in_bytes': `${GB}\n`,
      }),
    ).toEqual({ cpus: 8, memoryBytes: GB });
  });

  test('are read at a mount point whose name has a blank', () => {
    expect(
      limitsIn({
        '/proc/self/cgroup': '0::/\n',
        '/proc/self/mountinfo': '30 20 0:26 / /my\\040cgroups rw - cgroup2 cgroup2 rw\n',
        '/my cgroups/memory.max': `${GB}\n`,
      }).memoryBytes,
    ).toBe(GB);
  });
});

/** As root on a host whose cgroup files can be written, v1 or v2. */
function realGroup(): { procs: string[] } | null {
  const name = `zdsup-test-${process.pid}`;
  const made: string[] = [];
  const make = (root: string, files: Record<string, string>): string => {
    const folder = `${root}/${name}`;
    mkdirSync(folder);
    made.push(folder);
    for (const [file, value] of Object.entries(files)) writeFileSync(`${folder}/${file}`, value);
    return `${folder}/cgroup.procs`;
  };
  onTestFinished(() => {
    for (const folder of made) rmdirSync(folder);
  });
  try {
    accessSync('/sys/fs/cgroup', constants.W_OK);
    const v1 = { quota: { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '150000' } };
    const v2 = { 'cpu.max': '150000 100000', 'memory.max': String(GB / 4) };
    if (isThere('/sys/fs/cgroup/cgroup.controllers')) return { procs: [make('/sys/fs/cgroup', v2)] };
    const cpu = make('/sys/fs/cgroup/cpu', v1.quota);
    const memory = make('/sys/fs/cgroup/memory', { 'memory.limit_in_bytes': String(GB / 4) });
    return { procs: [cpu, memory] };
  } catch {
    return null;
  }
}

const isThere = (path: string): boolean => {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
};

test('a real process in a real cgroup is told its quota and its limit', ({ skip }) => {
  const group = realGroup();
  if (group === null) return skip('no cgroup can be made here: it takes root, and cgroup files that can be written');
  const module = fileURLToPath(new URL('../../../src/master/planning/cgroup.ts', import.meta.url));
  const tsx = fileURLToPath(import.meta.resolve('tsx'));
  const enter = group.procs.map((procs) => `echo $$ > ${procs}`).join(' && ');
  const told = `import { hostLimits } from ${JSON.stringify(module)}; console.log(JSON.stringify(hostLimits()))`;
  const { stdout, stderr } = spawnSync(
    '/bin/sh',
    ['-c', `${enter} && exec "$@"`, 'sh', process.execPath, '--import', tsx, '--input-type=module', '-e', told],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ cpus: 1, memoryBytes: GB / 4 });
});
