/** Promise 4: whatever is wrong with the new release, the old one serves on, the command exits 1 and says why. */
import { expect, test } from 'vitest';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { answerers } from '../helpers/load/tally.js';
import { freePorts } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

/** Good: answers, and is healthy. */
const serve = (port: string, healthz = 200, more = ''): string => `
const server = require('node:http').createServer((request, response) => {
  response.statusCode = request.url === '/healthz' ? ${healthz} : 200;
  response.end('release ' + require('./package.json').version);
});
server.listen(${port});
${more}`;

const BAD: [name: string, source: string, reason: RegExp, lastWords: RegExp][] = [
  ['a syntax error', 'const server = ;', /exited with code 1 before it was ready/, /SyntaxError/],
  [
    'a throw at start',
    "throw new Error('no database url');",
    /exited with code 1 before it was ready/,
    /no database url/,
  ],
  ['exit 0 at start', 'process.exit(0);', /exited with code 0 before it was ready/, /^/],
  [
    'exit 1 at start',
    "console.error('licence expired'); process.exit(1);",
    /exited with code 1 before it was ready/,
    /licence expired/,
  ],
  [
    'a missing module',
    "require('no-such-module');",
    /exited with code 1 before it was ready/,
    /Cannot find module 'no-such-module'/,
  ],
  ['a server that never listens', 'setInterval(() => {}, 1000);', /not ready within 2 s: it never listened/, /^/],
  [
    'a server on another port',
    serve('process.env.OTHER_PORT'),
    /listens on port \d+, the serving release on port \d+ \(--allow-listeners accepts it\)/,
    /^/,
  ],
  [
    'a server that is never ready',
    serve('process.env.PORT', 503),
    /not ready within 2 s: its readiness check failed: \/healthz answered 503/,
    /^/,
  ],
  [
    'a server that dies 300 ms after it was ready',
    serve('process.env.PORT', 200, "setTimeout(() => { console.error('lost the cache'); process.exit(3); }, 300);"),
    /exited with code 3, \d+ ms after it was ready/,
    /lost the cache/,
  ],
  ['a blocked event loop at start', 'for (;;);', /not ready within 2 s: it never listened/, /^/],
];

test.each(BAD)(
  'a reload to %s fails with the reason while the old release serves',
  async (_name, source, reason, lastWords) => {
    const [port, otherPort] = (await freePorts(2)) as [number, number];
    const project = makeProject({
      'releases/1/package.json': '{"version": "1"}',
      'releases/1/app.js': serve('process.env.PORT'),
      'releases/2/package.json': '{"version": "2"}',
      'releases/2/app.js': source,
      'zdsup.config.json': JSON.stringify({
        name: 'shop',
        script: 'current/app.js',
        instances: 2,
        minReady: 800,
        ready: { path: '/healthz', deadline: '2s', period: 100 },
        env: { PORT: port, OTHER_PORT: otherPort },
      }),
    });
    project.link('current', 'releases/1');
    const master = await startMaster({ cwd: project.folder, args: [] });
    const oldPids = (await master.status()).workers.map((worker) => worker.pid);
    const loads = [startLoad({ port }, 5, keepAlive()), startLoad({ port }, 5, perRequest())];
    await Promise.all(loads.map((load) => load.reached(10)));

    project.link('current', 'releases/2');
    const { code, stderr, stdout } = await master.run('reload');

    expect(code).toBe(1);
    expect(stderr).toMatch(reason);
    expect(stderr).toMatch(lastWords);
    expect(stderr).toContain('generation 1 goes on serving');
    expect(stdout).toBe('');
    const status = await master.status();
    expect(status.generation).toBe(1);
    expect(status.rollout).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(reason) });
    expect(
      status.workers.map((worker) => worker.pid),
      'the very same workers, and no other',
    ).toEqual(oldPids);
    await Promise.all(loads.map((load) => load.reached(load.tally.answered + 10)));
    for (const load of loads) {
      const tally = await expectNothingLost(load);
      expect(answerers(tally)).toEqual(['release 1']);
    }
  },
);

test('a release that hangs between its check and its first connection replaces nobody', async () => {
  const [port] = (await freePorts(1)) as [number];
  const project = makeProject({
    'releases/1/app.js': `require('node:http').createServer((request, response) => response.end('1')).listen(${port});`,
    'releases/2/app.js': `require('node:http').createServer().listen(${port}, () => setTimeout(() => { for (;;); }, 100));`,
    'zdsup.config.json': JSON.stringify({
      name: 'shop',
      script: 'current/app.js',
      minReady: 500,
      ready: { deadline: '2s' },
    }),
  });
  project.link('current', 'releases/1');
  const master = await startMaster({ cwd: project.folder, args: [] });
  const load = startLoad({ port }, 5, perRequest());
  await load.reached(10);
  project.link('current', 'releases/2');
  const { code, stderr } = await master.run('reload');
  expect(stderr).toContain('was ready, then hung: it took no traffic within 2 s');
  expect(code).toBe(1);
  await expectNothingLost(load, 10);
});

test.concurrent('a release that closes its server again before it takes traffic fails with the reason', async () => {
  const [port] = (await freePorts(1)) as [number];
  const good = `const server = require('node:http').createServer((request, response) => response.end('1')).listen(${port});`;
  const project = makeProject({
    'app.js': good,
    'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.js', minReady: 500 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  project.write({
    'app.js': `${good}\nserver.on('listening', () => setTimeout(() => server.close(), 100));\nsetInterval(() => {}, 1000);`,
  });
  const { code, stderr } = await master.run('reload');
  expect(stderr).toContain(`has closed port ${port} again`);
  expect(code).toBe(1);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('1');
});

test.concurrent('after a failed reload the next good one goes through', async () => {
  const [port] = (await freePorts(1)) as [number];
  const project = makeProject({ 'package.json': '{"version": "1"}', 'app.js': serve(`${port}`) });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'shop'] });
  project.write({ 'app.js': 'const broken = ;' });
  expect((await master.run('reload')).code).toBe(1);
  project.write({ 'app.js': serve(`${port}`), 'package.json': '{"version": "2"}' });
  expect((await master.run('reload')).code).toBe(0);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('release 2');
});

test.concurrent('a first start that fails exits 1, says why, and leaves nothing behind', async () => {
  const project = makeProject({ 'app.js': "throw new Error('no database url');" });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'shop'], wait: false });
  expect(await master.exited()).toEqual({ code: 1, signal: null });
  expect(master.stderrLines.join('\n')).toMatch(/Error: no database url/);
  expect(master.stderrLines.join('\n')).toMatch(
    /error: worker 0 of generation 1 exited with code 1 before it was ready \(ZDSUP_ROLLOUT_FAILED\)/,
  );
  expect((await master.run('status', 'shop')).code).toBe(3);
});
