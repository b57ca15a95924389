// Makes the Debian of a release, where it is not there yet: a folder that systemd-nspawn boots. Kept between runs, and never written to by a test.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const TOOLS = ['debootstrap', 'systemd-nspawn', 'nsenter', 'setpriv'];

/** By name: `ROOTS="trixie bookworm"`. */
export const wantedRoots = () => (process.env.ROOTS ?? 'trixie').split(/[\s,]+/).filter(Boolean);

export const rootFolder = () =>
  process.env.ZDSUP_TEST_ROOTS || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'zdsup-test');

/** Why this host cannot boot one; null: it can. */
export function missing() {
  if (process.platform !== 'linux') return `this is ${process.platform}, and systemd runs on Linux`;
  if (process.geteuid?.() !== 0) return 'it takes root to boot a system in a container (sudo npm run test:systemd)';
  if (!mayMount()) return 'this root may not mount (CAP_SYS_ADMIN is missing): it is one of a container itself';
  const lost = TOOLS.filter((tool) => !process.env.PATH.split(':').some((folder) => existsSync(join(folder, tool))));
  return lost.length === 0
    ? null
    : `there is no ${lost.join(', no ')} (Debian: apt-get install debootstrap systemd-container)`;
}

const CAP_SYS_ADMIN = 21n;

function mayMount() {
  const mask = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** @returns its folder */
export function makeRoot(name) {
  const path = join(rootFolder(), name);
  if (existsSync(path)) return path;
  console.log(`making a Debian ${name} in ${path}; about 40 s, once`);
  mkdirSync(rootFolder(), { recursive: true });
  // Whole, or not at all: one that was interrupted is not booted.
  const making = `${path}.${process.pid}`;
  try {
    execFileSync('debootstrap', ['--variant=minbase', '--include=systemd,systemd-sysv,dbus', name, making], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    renameSync(making, path);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return path;
}
