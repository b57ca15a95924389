// A place to run one app in: a temporary folder with the app and all state of its runner, a free port, and the means to start processes there and
// to end every one of them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../free-port.js';
import { endMarked } from '../processes.js';

const APP = fileURLToPath(new URL('../app.cjs', import.meta.url));
const START_DEADLINE_MS = 60_000;
const COMMAND_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 15_000;

/** Places that are in use, so that an interrupted run can leave nothing behind. */
const inUse = new Set();

export class Place {
  /** Opens a place where `node` runs the app. */
  static async open(node) {
    const port = await freePort();
    const place = new Place(node, mkdtempSync(join(tmpdir(), 'zdsup-compare-')), port);
    inUse.add(place);
    return place;
  }

  constructor(node, folder, port) {
    this.node = node;
    this.folder = folder;
    this.port = port;
    this.app = join(folder, 'app', 'app.cjs');
    this.started = join(folder, 'started');
    mkdirSync(dirname(this.app));
    mkdirSync(join(folder, 'tmp'));
    copyFileSync(APP, this.app);
    this.log = join(folder, 'log');
    /** Each process of this place knows the folder by its environment: by that it is found again, whoever its parent is. */
    this.env = {
      ...withoutNpm(process.env),
      PORT: String(port),
      STARTED: this.started,
      ZDSUP_HOME: join(folder, 'zdsup'),
      PM2_HOME: join(folder, 'pm2'),
      TMPDIR: join(folder, 'tmp'),
    };
  }

  /** Starts a process that stays. In a group of its own: a Ctrl-C of the terminal is the benchmark's to handle. */
  launch(args, { env = {}, ipc = false } = {}) {
    const log = openSync(this.log, 'a');
    this.root = spawn(this.node, args, {
      cwd: dirname(this.app),
      env: { ...this.env, ...env },
      detached: true,
      stdio: ['ignore', log, log, ...(ipc ? ['ipc'] : [])],
    });
    closeSync(log);
    return this.root;
  }

  /** Runs a command to its end; throws with what was written where it fails. */
  async command(args) {
    const log = openSync(this.log, 'a');
    const child = spawn(this.node, args, {
      cwd: dirname(this.app),
      env: this.env,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    const overdue = setTimeout(() => child.kill('SIGKILL'), COMMAND_DEADLINE_MS);
    const [code, signal] = await once(child, 'exit');
    clearTimeout(overdue);
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${signal ?? `code ${code}`}\n${this.words()}`);
  }

  /** The last words of all that ran here. */
  words() {
    return existsSync(this.log) ? readFileSync(this.log, 'utf8').slice(-2_000) : '';
  }

  /** Workers that have said that they listen, since the first. */
  workers() {
    if (!existsSync(this.started)) return [];
    return readFileSync(this.started, 'utf8').trim().split('\n');
  }

  /** Resolves when `count` workers listen. */
  async listening(count) {
    const deadline = performance.now() + START_DEADLINE_MS;
    while (this.workers().length < count) {
      const ended = this.root !== undefined && (this.root.exitCode ?? this.root.signalCode) !== null;
      if (ended || performance.now() > deadline)
        throw new Error(`${this.workers().length} of ${count} workers listen\n${this.words()}`);
      await pause(20);
    }
  }

  /** Asks the launched process to end, by TERM, and waits for it. */
  async terminate() {
    if ((this.root.exitCode ?? this.root.signalCode) !== null) return;
    const ended = once(this.root, 'exit');
    this.root.kill('SIGTERM');
    await Promise.race([ended, pause(STOP_DEADLINE_MS, null, { ref: false })]);
  }

  /** Ends every process that is still here, by its id, and removes the folder. */
  async close() {
    await endMarked(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
    inUse.delete(this);
  }
}

export async function closeAllPlaces() {
  // Meanwhile another one may have been opened.
  while (inUse.size > 0) await Promise.all([...inUse].map((place) => place.close()));
}

/** What npm adds would have the runners start with its settings, and with the `node` that is installed here for Watt. */
function withoutNpm(env) {
  const own = Object.entries(env).filter(([name]) => !/^npm_/i.test(name) && name !== 'NODE_OPTIONS');
  const path = (env.PATH ?? '').split(':').filter((folder) => !folder.endsWith('node_modules/.bin'));
  return { ...Object.fromEntries(own), PATH: path.join(':') };
}
