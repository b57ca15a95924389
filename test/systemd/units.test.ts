/** Units of zdsup on a real systemd (issue: "it must show, on the real thing"). Each machine in turn, and its tests in their order. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { lostCount } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import { until } from '../helpers/until.js';
import { App, source } from './app.js';
import { Machine } from './machine.js';
import { rootFolder, wantedRoots } from './roots.js';

const RELOADS = 20;
/** `systemd-analyze security`: 0 is best, 10 is worst. */
const MOST_EXPOSED = 4.0;

describe.each(wantedRoots())('%s', (root) => {
  let machine: Machine;
  let shop: App;
  let port: number;
  const url = (path = '/'): string => `http://127.0.0.1:${port}${path}`;
  const ask = async (path = '/'): Promise<string> =>
    (await fetch(url(path), { headers: { connection: 'close' } })).text();
  const masterPid = async (): Promise<number> => Number(await machine.show(shop.unit, 'MainPID'));
  const inFlight = (): Promise<string> =>
    until(
      'it is in flight',
      async () => (await machine.zdsup(['status', '--json'])).stdout,
      (text) => text.includes('"inFlight": 1'),
    );
  const active = async (): Promise<string> => (await machine.systemctl('is-active', shop.unit)).stdout.trim();

  beforeAll(async () => {
    machine = await Machine.boot(root, join(rootFolder(), root));
    port = await freePort();
    shop = new App(machine, 'shop', { instances: 2 });
  });
  afterAll(() => machine?.end());
  beforeEach(() => {
    onTestFailed(async () => console.error(await machine.journal(shop.unit)));
  });

  test('the unit is written, verifies clean and is exposed to 4.0 at most; it is active only when the app serves', async () => {
    shop.put(source('one', port, 1_500));
    const { code, stdout, stderr } = await machine.zdsup(['systemd', 'install'], { cwd: shop.folder });
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('systemctl enable --now zdsup-shop.service');
    const verified = await machine.run(['systemd-analyze', 'verify', `/etc/systemd/system/${shop.unit}`]);
    expect(verified).toEqual({ code: 0, stdout: '', stderr: '' });
    const { stdout: judged } = await machine.run(['systemd-analyze', 'security', '--no-pager', shop.unit]);
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(judged)?.[1]);
    console.log(`${root}: systemd-analyze security ${exposure}`);
    expect(exposure).toBeLessThanOrEqual(MOST_EXPOSED);
    expect(exposure).toBeGreaterThan(0);

    const started = machine.systemctl('enable', '--now', shop.unit);
    const states = new Set<string>();
    await until(
      'it is active',
      async () => {
        const served = await ask().then(
          () => true,
          () => false,
        );
        const state = await active();
        if (state !== 'active' && !served) states.add(state);
        if (state === 'active') expect(await ask()).toMatch(/^one /);
        return state;
      },
      (state) => state === 'active',
    );
    expect((await started).code).toBe(0);
    expect([...states]).toContain('activating');
    expect(await machine.show(shop.unit, 'StatusText')).toBe('generation 1, 2 workers');
    expect(await ask('/environment')).toBe('');
    const { stdout: list } = await machine.zdsup(['status']);
    expect(list).toContain('shop  running  generation 1');
  });

  test(`systemctl reload, ${RELOADS} times under load, loses nothing`, async () => {
    shop.put(source('two', port));
    const load = startLoad({ port }, 10, keepAlive());
    const fresh = startLoad({ port }, 4, perRequest());
    await load.reached(10);
    for (let reload = 1; reload <= RELOADS; reload++) {
      const { code, stderr } = await machine.systemctl('reload', shop.unit);
      expect(code, stderr).toBe(0);
    }
    const tally = await expectNothingLost(load, 10);
    const other = await expectNothingLost(fresh, 10);
    console.log(`${root}: ${RELOADS} reloads, ${tally.answered + other.answered} answered, 0 lost`);
    expect(await machine.show(shop.unit, 'StatusText')).toMatch(/^generation 21, 2 workers/);
  });

  test('a bad release: systemctl reload fails, and the unit stays active on the old one', async () => {
    shop.put('process.exit(1)');
    expect((await machine.systemctl('reload', shop.unit)).code).not.toBe(0);
    expect(await active()).toBe('active');
    expect(await ask()).toMatch(/^two /);
    shop.put(source('two', port));
    expect((await machine.systemctl('reload', shop.unit)).code).toBe(0);
  });

  test('a stop drains a request of 5 s, and leaves no process in the control group', async () => {
    const slow = ask('/slow');
    await inFlight();
    const group = await machine.show(shop.unit, 'ControlGroup');
    expect(await machine.processesOf(shop.unit)).toHaveLength(3);
    const stopped = machine.systemctl('stop', shop.unit);
    expect(await slow).toBe('slow');
    expect((await stopped).code).toBe(0);
    expect(await machine.show(shop.unit, 'Result')).toBe('success');
    const { stdout } = await machine.run(['sh', '-c', 'cat "/sys/fs/cgroup$1/cgroup.procs" 2>/dev/null', 'sh', group]);
    expect(stdout).toBe('');
  });

  test('a reload and a stop take longer than systemd would give them: the master asks for the time', async () => {
    await machine.dropIn(shop.unit, '[Service]\nTimeoutStartSec=4s\nTimeoutStopSec=4s\n');
    await machine.done(['systemctl', 'start', shop.unit]);
    const slow = ask('/slow');
    await inFlight();
    expect((await machine.systemctl('reload', shop.unit)).code).toBe(0); // It waits for the drain.
    expect(await slow).toBe('slow');
    const slower = ask('/slow');
    await inFlight();
    expect((await machine.systemctl('stop', shop.unit)).code).toBe(0);
    expect(await slower).toBe('slow');
    expect(await machine.show(shop.unit, 'Result')).toBe('success');
    await machine.done(['systemctl', 'revert', shop.unit]);
  });

  test('zdsup stop stays; whoever dies is started again', async () => {
    await machine.done(['systemctl', 'start', shop.unit]);
    expect((await machine.zdsup(['stop', 'shop'])).code).toBe(0);
    await until('it is down', active, (state) => state === 'inactive');
    const byName = await machine.zdsup(['start', 'shop']);
    expect(byName.code).toBe(2);
    expect(byName.stderr).toContain('hint: systemctl start zdsup-shop');
    await machine.done(['systemctl', 'start', shop.unit]);
    const before = await masterPid();
    const slow = ask('/slow');
    await inFlight();
    killOwn(machine.onHost(before)!);
    expect(await slow, 'an orphan answers what it has').toBe('slow');
    await until('it serves again', async () => (await active()) === 'active' && (await masterPid()) !== before);
    expect(await ask()).toMatch(/^two /);
  });

  test('a master that is stopped (SIGSTOP) is replaced by the watchdog, and the service comes back', async () => {
    await machine.dropIn(shop.unit, '[Service]\nWatchdogSec=2s\n');
    await machine.done(['systemctl', 'restart', shop.unit]);
    const before = await masterPid();
    await new Promise((resolve) => setTimeout(resolve, 4_000)); // Twice what the watchdog waits: it hears of this one.
    expect(await masterPid()).toBe(before);
    killOwn(machine.onHost(before)!, 'SIGSTOP');
    expect(await ask(), 'workers go on serving').toMatch(/^two /);
    await until(
      'the watchdog has found it',
      () => machine.journal(shop.unit),
      (text) => text.includes('Watchdog timeout'),
    );
    await until('it serves again', async () => (await active()) === 'active' && (await masterPid()) !== before);
    expect(await ask()).toMatch(/^two /);
  });

  test('a worker that is killed for its memory is replaced, and the unit stays active', async () => {
    await machine.dropIn(shop.unit, '[Service]\nMemoryMax=400M\nMemorySwapMax=0\n');
    await machine.done(['systemctl', 'restart', shop.unit]);
    const before = await masterPid();
    const workers = (await machine.processesOf(shop.unit)).filter((pid) => pid !== machine.onHost(before));
    const limit = limitByHand(workers);
    try {
      expect(await ask('/eat').catch(() => 'cut')).toBe('cut');
      await until(
        'its replacement serves',
        async () =>
          (await machine.journal(shop.unit)).includes('worker-exited') && machine.show(shop.unit, 'StatusText'),
        (words) => words === 'generation 1, 2 workers',
      );
      // By the kernel, and for its memory.
      if (limit) expect(limit.kills()).toBe(1);
      else expect(await machine.journal(shop.unit)).toMatch(/OOM killer/);
    } finally {
      limit?.end();
    }
    expect(await active()).toBe('active');
    expect(await masterPid()).toBe(before);
    expect(await ask()).toMatch(/^two /);
  });

  test('with a socket of systemd, a killed master refuses nobody', async () => {
    await machine.done(['systemctl', 'revert', shop.unit]).catch(() => {});
    const socket = await machine.zdsup(['systemd', 'install', 'shop', '--socket'], { cwd: '/' });
    expect(socket.code, socket.stderr).toBe(0); // The address is the running app's own.
    await machine.done(['systemctl', 'stop', shop.unit]);
    const verified = await machine.run([
      'systemd-analyze',
      'verify',
      `/etc/systemd/system/zdsup-shop.socket`,
      `/etc/systemd/system/${shop.unit}`,
    ]);
    expect(verified).toEqual({ code: 0, stdout: '', stderr: '' });
    await machine.done(['systemctl', 'enable', '--now', 'zdsup-shop.socket', shop.unit]);
    expect(await ask('/environment')).toBe('');
    const load = startLoad({ port }, 4, perRequest());
    await load.reached(50);
    for (let kills = 0; kills < 2; kills++) {
      const before = await masterPid();
      killOwn(machine.onHost(before)!);
      await until('another one serves', async () => (await active()) === 'active' && (await masterPid()) !== before);
      await load.reached(load.tally.answered + 50);
    }
    const tally = await load.stop();
    console.log(
      `${root}: kill -9 twice with .socket, ${tally.answered} answered, lost: ${JSON.stringify(tally.lost)}, longest ${Math.round(tally.longestMs)} ms`,
    );
    expect(lostCount(tally), JSON.stringify(tally.lost)).toBe(0);
    expect((await machine.systemctl('reload', shop.unit)).code).toBe(0);
  });

  test('a unit that was edited by hand is neither overwritten nor removed unasked; uninstall leaves nothing', async () => {
    const path = `/etc/systemd/system/${shop.unit}`;
    await machine.done(['sh', '-c', `echo '# mine' >> ${path}`]);
    const again = await machine.zdsup(['systemd', 'install', 'shop']);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('# mine');
    expect((await machine.zdsup(['systemd', 'uninstall', 'shop'])).code).toBe(1);
    const removed = await machine.zdsup(['systemd', 'uninstall', 'shop', '--force', '--json']);
    expect(removed.code, removed.stderr).toBe(0);
    expect(JSON.parse(removed.stdout)).toMatchObject({ ok: true, removed: [expect.stringContaining('.socket'), path] });
    expect(await active()).toBe('inactive');
    expect(
      (await machine.run(['sh', '-c', 'ls /etc/systemd/system/*/zdsup-* /etc/systemd/system/zdsup-*.service'])).stdout,
    ).toBe('');
    expect((await machine.zdsup(['systemd', 'uninstall', 'shop'])).code).toBe(3);
    await machine.write('/etc/systemd/system/zdsup-own.service', '[Service]\nExecStart=/bin/true\n');
    const foreign = await machine.zdsup(['systemd', 'uninstall', 'own']);
    expect(foreign.code).toBe(1);
    expect(foreign.stderr).toContain('was not written by zdsup');
    const asUser = await machine.zdsup(['systemd', 'install'], { cwd: shop.folder, user: 'app' });
    expect(asUser.code).toBe(1);
    expect(asUser.stderr).toMatch(/hint: sudo zdsup systemd install, or .*--user/);
  });

  test('files of root run as a user of their own, whatever their folder is called', async () => {
    await machine.systemctl('stop', shop.unit);
    port = await freePort();
    const odd = new App(machine, 'odd', {}, 'my 100% shop $HOME', 0);
    odd.put(source('odd', port));
    const { code, stderr } = await machine.zdsup(['systemd', 'install'], { cwd: odd.folder });
    expect(code, stderr).toBe(0);
    expect((await machine.run(['systemd-analyze', 'verify', `/etc/systemd/system/${odd.unit}`])).stderr).toBe('');
    const started = await machine.systemctl('start', odd.unit);
    expect(started.code, await machine.journal(odd.unit)).toBe(0);
    expect(await ask()).toMatch(/^odd /);
    expect((await machine.systemctl('reload', odd.unit)).code).toBe(0);
    expect((await machine.zdsup(['status', 'odd'])).stdout).toContain('odd  running  generation 2');
    const pid = Number(await machine.show(odd.unit, 'MainPID'));
    expect(await machine.done(['stat', '-c', '%U', `/proc/${pid}`])).not.toContain('root');
    await machine.done(['systemctl', 'stop', odd.unit]);
  });

  test('a unit that was written by hand works: notify-reload where there is one, and the program that speaks for the master', async () => {
    await machine.systemctl('stop', shop.unit);
    port = await freePort();
    shop.put(source('hand', port));
    const version = Number(/systemd (\d+)/.exec(await machine.done(['systemctl', '--version']))![1]);
    const type = version >= 253 ? 'notify-reload' : 'notify';
    await machine.write(
      '/etc/systemd/system/zdsup-shop.service',
      `[Service]\nType=${type}\nNotifyAccess=all\nUser=app\nWatchdogSec=10s\nWorkingDirectory=${shop.folder}\nRuntimeDirectory=zdsup/shop\nStateDirectory=zdsup/shop\nExecStart=/usr/bin/node /opt/zdsup/bin/zdsup.js start\n${type === 'notify' ? 'ExecReload=/bin/sh -c "kill -HUP $MAINPID"\n' : ''}`,
    );
    await machine.done(['systemctl', 'daemon-reload']);
    const started = await machine.systemctl('start', shop.unit);
    expect(started.code, await machine.journal(shop.unit)).toBe(0);
    expect(await ask()).toMatch(/^hand /);
    shop.put(source('better', port));
    expect((await machine.systemctl('reload', shop.unit)).code).toBe(0);
    const serves = (): Promise<string> =>
      until(
        'the new generation serves',
        () => machine.show(shop.unit, 'StatusText'),
        (text) => text.startsWith('generation 2, 2 workers'),
      );
    if (type === 'notify') await serves(); // A signal waits for nothing.
    expect(await ask()).toMatch(/^better /); // Ready again only when the new generation serves.
    await serves();
    await machine.done(['systemctl', 'stop', shop.unit]);
    expect(await machine.show(shop.unit, 'Result')).toBe('success');
    await machine.done(['rm', '/etc/systemd/system/zdsup-shop.service']);
  });

  test("a user's own systemd runs it too", async () => {
    await machine.systemctl('stop', shop.unit);
    port = await freePort();
    // What pam_systemd does, which this Debian does not have.
    await machine.dropIn('user@.service', '[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n');
    await machine.done(['systemctl', 'start', 'user@1000.service']);
    shop.put(source('own', port));
    const as = { user: 'app', cwd: shop.folder };
    const installed = await machine.zdsup(['systemd', 'install', '--user'], as);
    expect(installed.code, installed.stderr).toBe(0);
    expect(installed.stdout).toContain('systemctl --user enable --now zdsup-shop.service');
    const started = await machine.run(['systemctl', '--user', 'enable', '--now', 'zdsup-shop.service'], as);
    expect(started.code, started.stderr).toBe(0);
    expect(await ask()).toMatch(/^own /);
    expect((await machine.run(['systemctl', '--user', 'reload', 'zdsup-shop.service'], as)).code).toBe(0);
    shop.put('throw 1');
    expect((await machine.run(['systemctl', '--user', 'reload', 'zdsup-shop.service'], as)).code).not.toBe(0);
    expect((await machine.zdsup(['status'], as)).stdout).toContain('shop  running  generation 2');
    const removed = await machine.zdsup(['systemd', 'uninstall', 'shop', '--user'], as);
    expect(removed.code, removed.stderr).toBe(0);
    await expect(ask()).rejects.toThrow();
  });
});

/**
 * What MemoryMax= does, where the host still counts memory by the old control groups: there systemd of a container cannot, and the workers get a group of their own.
 * @returns null: systemd does it
 */
function limitByHand(workers: number[]): { kills(): number; end(): void } | null {
  const parent = '/sys/fs/cgroup/memory';
  if (!existsSync(join(parent, 'memory.limit_in_bytes'))) return null;
  const group = join(parent, `zdsup-test-${process.pid}`);
  mkdirSync(group);
  writeFileSync(join(group, 'memory.limit_in_bytes'), String(300 << 20));
  for (const pid of workers) writeFileSync(join(group, 'cgroup.procs'), String(pid));
  return {
    kills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(group, 'memory.oom_control'), 'utf8'))?.[1]),
    end() {
      // Those that are left go back, and the group with them.
      for (const pid of workers)
        try {
          writeFileSync(join(parent, 'cgroup.procs'), String(pid));
        } catch {
          // It is the one that was killed.
        }
      rmdirSync(group);
    },
  };
}
