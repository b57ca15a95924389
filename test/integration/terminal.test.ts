/** What a person sees and does at a terminal: Ctrl-C, a closed window, labels, colours, live progress. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { isAlive, killOwn } from '../helpers/cleanup.js';
import { Connection } from '../helpers/load/client.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { hasColour, Terminal, zdsupCommand } from '../helpers/pty.js';
import { onlyAppOf } from '../helpers/status.js';
import { until } from '../helpers/until.js';
import type { World } from '../helpers/zdsup.js';
import { makeWorld, zdsup } from '../helpers/zdsup.js';

/** `/held` answers on SIGUSR2; the body names the generation. */
const APP = `
const held = [];
process.on('SIGUSR2', () => held.splice(0).forEach((response) => response.end(process.env.ZDSUP_GENERATION)));
require('node:http').createServer((request, response) => {
  if (request.url === '/held') held.push(response);
  else response.end(process.env.ZDSUP_GENERATION);
}).listen(process.env.PORT, () => { console.log('hello from stdout'); console.error('hello from stderr'); });`;

interface Scene {
  terminal: Terminal;
  world: World;
  port: number;
  folder: string;
  /** Where in the terminal's output the command's begins. */
  from: number;
  app(): Promise<AppSnapshot | undefined>;
  /** Requests that the app holds until `answerAll`. */
  hold(count: number): Promise<Connection[]>;
  answerAll(): Promise<void>;
}

/** `zdsup start` typed into a shell, with all workers up. */
async function start(options: { wrap?(command: string): string; env?: Record<string, string> } = {}): Promise<Scene> {
  const world = makeWorld();
  const port = await freePort();
  const command = zdsupCommand('start app.js --name term -i 2');
  const { folder } = makeProject({ 'app.js': APP, 'package.json': JSON.stringify({ scripts: { start: command } }) });
  const terminal = new Terminal(world, { cwd: folder, env: { PORT: String(port), ...options.env } });
  const from = await terminal.run((options.wrap ?? String)(command));
  const app = (): Promise<AppSnapshot | undefined> => onlyAppOf(world.home);
  await until('it serves', app, (seen) => seen?.rollout?.outcome === 'succeeded');
  return {
    terminal,
    world,
    port,
    folder,
    from,
    app,
    async hold(count) {
      const connections: Connection[] = [];
      for (let request = 0; request < count; request++) {
        const connection = await Connection.open({ port });
        if (typeof connection === 'string') throw new Error(connection);
        connection.socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
        connections.push(connection);
      }
      const inFlight = (seen: AppSnapshot | undefined) =>
        seen?.workers.reduce((sum, worker) => sum + (worker.inFlight ?? 0), 0);
      await until('all are in flight', app, (seen) => inFlight(seen) === count);
      return connections;
    },
    async answerAll() {
      for (const worker of (await app())!.workers) killOwn(worker.pid!, 'SIGUSR2');
    },
  };
}

/** What became of the held requests: each answered, or what else. */
const outcomes = (held: Connection[]): Promise<string[]> =>
  Promise.all(
    held.map(async (connection) => {
      const response = await connection.response();
      return typeof response === 'string' ? response : 'answered';
    }),
  );

/** One that has nothing in flight may be gone already. */
const allDrain = (seen: AppSnapshot | undefined): boolean =>
  seen !== undefined && seen.workers.length > 0 && seen.workers.every((worker) => worker.state === 'draining');

async function nothingIsLeft({ terminal }: Scene): Promise<void> {
  await until(
    'all processes of the terminal have gone',
    () => terminal.processes(),
    (pids) => pids.length === 0,
  );
}

const ALL_ANSWERED = Array.from({ length: 5 }, () => 'answered');

test.concurrent.each([
  ['Ctrl-C', '\x03'],
  ['Ctrl-\\', '\x1c'],
])(
  '%s with requests in flight: all are answered, the status is 0, the prompt is back, nothing is left',
  async (_, key) => {
    const scene = await start();
    const held = await scene.hold(5);
    scene.terminal.press(key);
    await until('the workers drain', scene.app, allDrain);
    await scene.answerAll();
    expect(await outcomes(held)).toEqual(ALL_ANSWERED);
    expect(await scene.terminal.prompt(scene.from)).toBe(0);
    expect(scene.terminal.processes()).toEqual([]);
    expect(scene.terminal.lines(scene.from).slice(-2)).toEqual([expect.stringMatching(/INFO: term: stopped$/), '[0]>']);
  },
);

test.concurrent('Ctrl-C under `npm start`, which hears it too: all are answered before the prompt is back', async () => {
  const scene = await start({ wrap: () => 'npm start' });
  const held = await scene.hold(5);
  scene.terminal.press('\x03');
  await until('the workers drain', scene.app, allDrain);
  await scene.answerAll();
  expect(await outcomes(held)).toEqual(ALL_ANSWERED);
  await scene.terminal.prompt(scene.from);
  expect(scene.terminal.processes()).toEqual([]);
});

test('two quick Ctrl-C count as one', async () => {
  const scene = await start();
  const held = await scene.hold(5);
  scene.terminal.press('\x03');
  await until('the first is heard', scene.app, (app) => app?.state === 'stopping'); // Closer together, the kernel makes one of them.
  scene.terminal.press('\x03');
  await until('the workers drain', scene.app, allDrain);
  await scene.answerAll();
  expect(await outcomes(held)).toEqual(ALL_ANSWERED);
  expect(await scene.terminal.prompt(scene.from)).toBe(0);
});

test.concurrent('a second Ctrl-C, a second or more after the first, ends at once', async () => {
  const scene = await start();
  const held = await scene.hold(2);
  scene.terminal.press('\x03');
  const pressedAt = performance.now();
  await until('the workers drain', scene.app, allDrain);
  await until(
    'a second has passed',
    () => performance.now() - pressedAt,
    (ms) => ms > 1_100,
  );
  expect(scene.terminal.processes().length).toBeGreaterThan(1);
  scene.terminal.press('\x03');
  expect(await scene.terminal.prompt(scene.from)).toBe(1);
  for (const outcome of await outcomes(held)) expect(outcome).not.toBe('answered');
  await nothingIsLeft(scene);
});

test.concurrent.each<[string, (terminal: Terminal) => void]>([
  ['the window is closed', (terminal) => terminal.close()],
  ['the shell is killed', (terminal) => killOwn(terminal.shellPid)],
])('%s with requests in flight: all are answered, nothing is reloaded, everything ends', async (_, lose) => {
  const scene = await start();
  const held = await scene.hold(5);
  lose(scene.terminal);
  const app = await until('the workers drain', scene.app, allDrain);
  expect(app).toMatchObject({ state: 'stopping', generation: 1 });
  await scene.answerAll();
  expect(await outcomes(held)).toEqual(ALL_ANSWERED);
  await nothingIsLeft(scene);
});

test.concurrent('`kill -HUP` reloads while the terminal lives', async () => {
  const scene = await start();
  killOwn((await scene.app())!.masterPid, 'SIGHUP');
  await scene.terminal.seen('generation 2 serves with 2 workers');
  await until('the old workers have gone', scene.app, (seen) => seen?.workers.length === 2);
  expect(await (await fetch(`http://127.0.0.1:${scene.port}/`)).text()).toBe('2');
});

test.concurrent('Ctrl-Z stops all of it for a while, and `fg` lets it go on with what was in flight', async () => {
  const scene = await start();
  const held = await scene.hold(5);
  const pids = (await scene.app())!.workers.map((worker) => worker.pid!);
  scene.terminal.press('\x1a');
  expect(await scene.terminal.prompt(scene.from)).toBe(128 + 20);
  await scene.terminal.run('fg');
  await scene.answerAll();
  expect(await outcomes(held)).toEqual(ALL_ANSWERED);
  expect(pids.filter(isAlive)).toEqual(pids);
});

test.concurrent('an app in the background goes on serving when its shell has ended and its terminal is closed', async () => {
  const scene = await start({ wrap: (command) => `${command} &` });
  scene.terminal.press('exit\r');
  await until('the shell has gone', () => !isAlive(scene.terminal.shellPid));
  scene.terminal.close();
  expect((await zdsup(scene.world, ['reload'])).code).toBe(0);
  expect(await (await fetch(`http://127.0.0.1:${scene.port}/`)).text()).toBe('2');
  expect((await zdsup(scene.world, ['stop'])).code).toBe(0);
  await nothingIsLeft(scene);
});

test.concurrent.each<[string, Record<string, string>, boolean]>([
  ['in the colour of its worker', {}, true],
  ['without colour where NO_COLOR is set', { NO_COLOR: '1' }, false],
  ['without colour on a dumb terminal', { TERM: 'dumb' }, false],
])('each line of a worker carries its generation and slot, %s', async (_, env, colour) => {
  const { terminal, from } = await start({ env });
  await terminal.seen('serves with 2 workers', from);
  const lines = terminal.lines(from);
  for (const label of ['1.0 |', '1.1 |'])
    expect(lines).toEqual(expect.arrayContaining([`${label} hello from stdout`, `${label} hello from stderr`]));
  expect(hasColour(terminal.raw.slice(from))).toBe(colour);
});

test.concurrent('`zdsup start | cat`: stdout is the plain output of the app, stderr keeps its labels; Ctrl-C, which ends cat too, loses nothing', async () => {
  const scene = await start({ wrap: (command) => `${command} | cat > out.txt` });
  const held = await scene.hold(5);
  expect(scene.terminal.lines(scene.from)).toContain('1.1 | hello from stderr');
  scene.terminal.press('\x03');
  await until('the workers drain', scene.app, allDrain);
  await scene.answerAll();
  expect(await outcomes(held)).toEqual(ALL_ANSWERED);
  await scene.terminal.prompt(scene.from);
  await nothingIsLeft(scene);
  expect(readFileSync(join(scene.folder, 'out.txt'), 'utf8')).toBe('hello from stdout\n'.repeat(2));
});

test.concurrent('`zdsup start 2> file`: the file has plain lines without colour, the terminal the labelled stdout', async () => {
  const scene = await start({ wrap: (command) => `${command} 2> err.txt` });
  await scene.terminal.seen('1.1 |', scene.from);
  scene.terminal.press('\x03');
  expect(await scene.terminal.prompt(scene.from)).toBe(0);
  const file = readFileSync(join(scene.folder, 'err.txt'), 'utf8');
  expect(file.match(/^hello from stderr$/gm)).toHaveLength(2);
  expect(JSON.parse(file.trim().split('\n').at(-1)!)).toMatchObject({ msg: 'stopped' });
  expect(hasColour(file)).toBe(false);
});

test.concurrent('`zdsup reload` redraws one line while it works, and leaves two that can be read', async () => {
  const scene = await start();
  const other = new Terminal(scene.world, { cwd: scene.folder });
  const from = await other.zdsup('reload term');
  expect(await other.prompt(from)).toBe(0);
  expect(other.raw.slice(from).match(/\r/g)!.length).toBeGreaterThan(4);
  expect(other.lines(from)).toEqual([
    expect.stringMatching(/^term \[#{20}\] 2\/2 {2}\d+\.\d s {2}generation 2 serves with 2 workers$/),
    expect.stringMatching(/^term: generation 2 serves, the old workers have gone \(\d+\.\d s\); on trial for 30 s$/),
    '[0]>',
  ]);
});

test.concurrent('Ctrl-C in `zdsup reload` only detaches: it says so, and the reload goes on', async () => {
  const scene = await start();
  const held = await scene.hold(5);
  const other = new Terminal(scene.world, { cwd: scene.folder });
  const from = await other.zdsup('reload term');
  await other.seen('generation 2 serves', from);
  other.press('\x03');
  expect(await other.prompt(from)).toBe(130);
  expect(other.lines(from).at(-2)).toBe(
    'detached: the reload goes on; zdsup status term shows it, zdsup abort term gives it up',
  );
  await scene.answerAll();
  expect(await outcomes(held)).toEqual(ALL_ANSWERED);
});
