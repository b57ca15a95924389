import { describe, expect, test } from 'vitest';
import type { UnitOptions } from '../../src/cli/render/unit.js';
import { renderService, renderSocket } from '../../src/cli/render/unit.js';
import { commandLine, pathAlone, word } from '../../src/cli/render/unit-values.js';

const OPTIONS: UnitOptions = {
  app: 'shop',
  systemdVersion: 257,
  runsAs: { kind: 'user', name: 'ada' },
  dropsPrivileges: false,
  node: '/usr/bin/node',
  zdsup: '/usr/lib/node_modules/zdsup/bin/zdsup.js',
  folder: '/srv/shop',
  startArgs: ['/srv/shop/app.js', '--as-unit', 'shop'],
  extraPath: null,
  inHome: false,
  inTmp: false,
  writable: ['/srv/shop'],
  logFolders: [],
  stopMs: 40_000,
  sockets: [],
  notifySocket: '/run/systemd/notify',
};
const service = (changed: Partial<UnitOptions> = {}): string[] => renderService({ ...OPTIONS, ...changed }).split('\n');

describe('the service', () => {
  test('reloads by the waiting command, drains with its orphans, and has every setting explained', () => {
    const lines = service();
    for (const line of [
      'Type=notify',
      'ExecStart=/usr/bin/node /usr/lib/node_modules/zdsup/bin/zdsup.js start /srv/shop/app.js --as-unit shop',
      'ExecReload=/usr/bin/node /usr/lib/node_modules/zdsup/bin/zdsup.js reload shop',
      // Stopped by the command it stays away; a watchdog that sends ABRT would end all workers at once.
      ...['RestartPreventExitStatus=100', 'SuccessExitStatus=100', 'WatchdogSignal=SIGTERM', 'TimeoutAbortSec=10s'],
      ...['KillMode=control-group', 'OOMPolicy=continue', 'Restart=always', 'WatchdogSec=30s', 'TimeoutStopSec=40s'],
      ...['User=ada', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'ProtectHome=yes', 'ReadWritePaths=-/srv/shop'],
    ])
      expect(lines).toContain(line);
    expect(lines.join('\n')).not.toMatch(/^MemoryDenyWriteExecute/m);
    // What says itself what it is.
    const plain = /^(Description|Wants|After|User|WorkingDirectory|ExecStart|WantedBy|Requires)=/;
    lines.forEach((line, index) => {
      if (!line.includes('=') || line.startsWith('#') || plain.test(line)) return;
      const above = lines.slice(0, index).findLast((one) => one.startsWith('#') || one === '' || plain.test(one));
      expect(above, line).toMatch(/^# /);
    });
  });

  test('lets the master alone speak to systemd; one older than 253 hears the program that speaks for it', () => {
    expect(service()).toContain('OpenFile=/run/systemd/notify:zdsup-notify:graceful');
    expect(service()).toContain('NotifyAccess=main');
    const old = service({ systemdVersion: 252 }).filter((line) => !line.startsWith('#'));
    expect(old).toContain('NotifyAccess=all');
    expect(old.join('\n')).not.toMatch(/OpenFile|RestartSteps|RestartMaxDelaySec/);
  });

  test('of a user has no setting that only the system may make', () => {
    const lines = service({ runsAs: { kind: 'manager' }, notifySocket: '/run/user/7/systemd/notify' });
    expect(lines).toContain('WantedBy=default.target');
    expect(lines).toContain('OpenFile=/run/user/7/systemd/notify:zdsup-notify:graceful');
    expect(lines.join('\n')).not.toMatch(
      /^(User|DynamicUser|StateDirectory|ProtectSystem|CapabilityBoundingSet|LimitNOFILE)=/m,
    );
  });

  test('may write its log where the config says', () => {
    const lines = service({ logFolders: ['/var/log/shop', '/data/logs'] });
    expect(lines).toContain('LogsDirectory=shop');
    expect(lines).toContain('ReadWritePaths=-/data/logs');
    expect(lines.join('\n')).not.toContain('ReadWritePaths=-/var/log');
  });

  test('reads a home folder where the app or its Node lies there, and adds the Node of a version manager to PATH', () => {
    const lines = service({ inHome: true, extraPath: '/home/ada/.nvm/versions/node/v20/bin' });
    expect(lines).toContain('ProtectHome=read-only');
    expect(lines.find((line) => line.startsWith('Environment=PATH='))).toMatch(
      /^Environment=PATH=\/home\/ada\/.nvm\/versions\/node\/v20\/bin:.*:\/usr\/bin:/,
    );
  });

  test('runs files of root as a user that systemd makes up; a root master that starts its workers as others keeps what that takes', () => {
    expect(service({ runsAs: { kind: 'dynamic' } })).toContain('DynamicUser=yes');
    const root = service({ runsAs: { kind: 'user', name: 'root' }, dropsPrivileges: true }).join('\n');
    expect(root).toMatch(/^CapabilityBoundingSet=.*CAP_SETUID/m);
    const own = service({ runsAs: { kind: 'user', name: 'root' } });
    expect(own).toContain('CapabilityBoundingSet=CAP_NET_BIND_SERVICE');
  });

  test('has no right of root; with sockets it is bound to their unit', () => {
    expect(service()).toContain('CapabilityBoundingSet=');
    const lines = service({ sockets: ['80'] });
    expect(lines).toContain('Requires=zdsup-shop.socket');
    expect(lines).toContain('CapabilityBoundingSet=');
    const socket = renderSocket({ ...OPTIONS, sockets: ['80', '127.0.0.1:81', '/run/shop.sock'] });
    expect(socket).toContain('ListenStream=80\nListenStream=127.0.0.1:81\nListenStream=/run/shop.sock\n');
    expect(socket).toContain('SocketMode=');
  });
});

describe('values', () => {
  test.for([
    ['/srv/shop', '/srv/shop'],
    ['/srv/my shop', '"/srv/my shop"'],
    ['/srv/50%', '/srv/50%%'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["it's", '"it\'s"'],
    ['', '""'],
    ['a\nb', '"a\\nb"'],
    ['a\rUser=root', '"a\\rUser=root"'],
  ])('%j is the word %s', ([value, written]) => expect(word(value!)).toBe(written));

  test('a dollar is no variable, and a lone semicolon no end', () => {
    expect(commandLine(['/bin/a', '$HOME', ';'])).toBe(':/bin/a "$HOME" "\\x3b"');
    expect(commandLine(['/bin/a', 'x y'])).toBe('/bin/a "x y"');
  });

  test('a path alone on its line takes no quotes, and what cannot stand there is told', () => {
    expect(pathAlone('/srv/my 50% shop')).toBe('/srv/my 50%% shop');
    for (const path of ['/srv/a\nb', '/srv/a\\', '/srv/a ']) expect(pathAlone(path)).toBeNull();
  });
});
