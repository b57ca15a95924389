/** A Debian with its own systemd in a container on this host's network. What a test writes in it is gone when it ends. */
import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killOwn } from '../helpers/cleanup.js';
import { until } from '../helpers/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Node and the checkout as the container has them, read-only. */
const NODE = '/usr/bin/node';
const ZDSUP = '/opt/zdsup/bin/zdsup.js';
/** Of a system to end in good order, in ms. */
const POWER_OFF_MS = 10_000;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  user?: string;
  cwd?: string;
  input?: string;
}

export class Machine {
  private constructor(
    readonly name: string,
    private readonly container: ChildProcess,
    private readonly leader: number,
    /** `/srv` of the container. */
    readonly srv: string,
  ) {}

  static async boot(name: string, root: string): Promise<Machine> {
    const srv = mkdtempSync(join(tmpdir(), 'zdsup-srv-'));
    chmodSync(srv, 0o755); // For users of the container.
    const container = spawn(
      'setpriv', // It ends with the test, also where that is killed.
      [
        ...[
          '--pdeathsig',
          'TERM',
          'systemd-nspawn',
          '--boot',
          '-D',
          root,
          '--volatile=overlay',
          '--register=no',
          '--keep-unit',
        ],
        ...['--console=pipe', `--machine=zdsup-${name}-${process.pid}`],
        ...[
          `--bind-ro=${realpathSync(process.execPath)}:${NODE}`,
          `--bind-ro=${ROOT}:/opt/zdsup`,
          `--bind=${srv}:/srv`,
        ],
      ],
      { env: { PATH, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' }, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    );
    let words = '';
    for (const stream of [container.stdout!, container.stderr!]) stream.on('data', (chunk) => (words += chunk));
    try {
      const leader = (await until(`${name} has begun to boot`, () => leaderOf(container.pid!)))!;
      const machine = new Machine(name, container, leader, srv);
      await until(
        `${name} has booted`,
        async () => (await machine.run(['systemctl', 'is-system-running'])).stdout.trim(),
        (state) => state === 'running' || state === 'degraded',
        30_000,
      );
      await machine.done(['useradd', '--create-home', '--uid', '1000', 'app']);
      return machine;
    } catch (error) {
      console.error(words);
      killOwn(leaderOf(container.pid!));
      killOwn(container.pid);
      rmSync(srv, { recursive: true, force: true });
      throw error;
    }
  }

  /** By its own means; what does not end so is killed, by its id. */
  async end(): Promise<void> {
    const ended = this.container.exitCode !== null || this.container.signalCode !== null;
    const gone = ended ? Promise.resolve() : once(this.container, 'exit');
    if (!ended) await this.run(['systemctl', 'poweroff', '--no-block']).catch(() => {});
    const timer = setTimeout(() => {
      killOwn(this.leader); // Its first process: the kernel ends all others with it.
      killOwn(this.container.pid);
    }, POWER_OFF_MS);
    await gone;
    clearTimeout(timer);
    rmSync(this.srv, { recursive: true, force: true });
  }

  /** In the container, as root or as `user`, with an environment of its own. Settles whatever its exit status. */
  run(command: string[], { user, cwd = '/', input }: RunOptions = {}): Promise<Ran> {
    const as =
      user === undefined
        ? ['HOME=/root']
        : [
            `HOME=/home/${user}`,
            'XDG_RUNTIME_DIR=/run/user/1000',
            'setpriv',
            `--reuid=${user}`,
            `--regid=${user}`,
            '--init-groups',
          ];
    const inside = [
      'env',
      '-i',
      `PATH=${PATH}`,
      'SYSTEMD_PAGER=',
      `PWD=${cwd}`,
      ...as,
      'sh',
      '-c',
      'cd "$1" && shift && exec "$@"',
      'sh',
      cwd,
    ];
    return new Promise((resolve) => {
      const child = execFile(
        'nsenter',
        ['-t', String(this.leader), '-a', '--', ...inside, ...command],
        { maxBuffer: 2 ** 26 },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin?.on('error', () => {});
      child.stdin?.end(input ?? '');
    });
  }

  /** As `run`; where it fails, so does the test. */
  async done(command: string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, options);
    if (code !== 0) throw new Error(`${this.name}: ${command.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  zdsup(args: string[], options: RunOptions = {}): Promise<Ran> {
    return this.run([NODE, ZDSUP, ...args], options);
  }

  systemctl(...args: string[]): Promise<Ran> {
    return this.run(['systemctl', ...args]);
  }

  async show(unit: string, property: string): Promise<string> {
    return (await this.done(['systemctl', 'show', '--value', '-p', property, unit])).trim();
  }

  async write(path: string, text: string): Promise<void> {
    await this.done(['sh', '-c', 'mkdir -p "$(dirname "$1")" && cat > "$1"', 'sh', path], { input: text });
  }

  /** As `systemctl edit` would. */
  async dropIn(unit: string, text: string): Promise<void> {
    await this.write(`/etc/systemd/system/${unit}.d/test.conf`, text);
    await this.done(['systemctl', 'daemon-reload']);
  }

  journal(unit: string): Promise<string> {
    return this.done(['journalctl', '-u', unit, '--no-pager', '-o', 'cat', '-n', '60']);
  }

  /** Ids as this host counts them. */
  async processesOf(unit: string): Promise<number[]> {
    const group = await this.show(unit, 'ControlGroup');
    if (group === '') return [];
    const { code, stdout } = await this.run(['sh', '-c', 'cat "/sys/fs/cgroup$1/cgroup.procs"', 'sh', group]);
    const inside = code === 0 ? stdout.trim().split('\n').filter(Boolean).map(Number) : [];
    return inside.map((pid) => this.onHost(pid)).filter((pid) => pid !== null);
  }

  /** A process of the container has another id on the host. */
  onHost(pid: number): number | null {
    for (const candidate of descendantsOf(this.leader)) {
      const ids = /^NSpid:\s+(.*)$/m.exec(read(`/proc/${candidate}/status`))?.[1]?.split(/\s+/);
      if (Number(ids?.at(-1)) === pid) return candidate;
    }
    return null;
  }
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It has ended.
  }
};

const childrenOf = (pid: number): number[] =>
  read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);

/** Its first process: nspawn has another child for a moment, which makes this one. */
const leaderOf = (pid: number): number | undefined =>
  childrenOf(pid).find((child) => read(`/proc/${child}/comm`).trim() === 'systemd');

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}
