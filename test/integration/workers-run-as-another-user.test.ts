/** A root master binds, and its workers are somebody else: they get what the config names, and root runs nothing that they could have written. */
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALICE, canBecomeOthers, openFolder } from '../helpers/other-user.js';
import { freePorts } from '../helpers/ports.js';
import { startMaster } from '../helpers/zdsup.js';

/** Tells whom it runs as, and what came of a port that it was not given. */
const APP = `
const http = require('node:http');
const me = {
  uid: process.getuid(), gid: process.getgid(), groups: process.getgroups(), umask: process.umask(),
  login: [process.env.HOME, process.env.USER, process.env.LOGNAME, process.env.XDG_STATE_HOME ?? null],
};
const serve = () => http.createServer((_, response) => response.end(JSON.stringify(me)));
if (process.env.ALSO) serve().on('error', ({ code }) => { me.refused = code; main(); }).listen(+process.env.ALSO, '127.0.0.1');
else main();
function main() {
  serve().listen(+process.env.PORT, '127.0.0.1');
  if (process.env.SOCKET) serve().listen(process.env.SOCKET);
}
`;

const ask = (where: object): Promise<Record<string, unknown>> =>
  new Promise((resolve, reject) => {
    const asked = request({ ...where, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(JSON.parse(text)));
    });
    asked.on('error', reject).end();
  });

/** A config that leaves a mark wherever it is evaluated. */
const configOf = (folder: string, keys: object): string =>
  `import { appendFileSync } from 'node:fs';
appendFileSync(${JSON.stringify(join(folder, 'evaluated'))}, 'x');
export default ${JSON.stringify({ name: 'shop', script: 'app.js', soak: 0, user: ALICE, group: ALICE, ...keys })};`;

describe.skipIf(!canBecomeOthers)('as root, with workers of another user', () => {
  test('they are that user in all there is, and get what the config names', async () => {
    const folder = openFolder();
    const [port, other] = await freePorts(2);
    mkdirSync(join(folder, 'run'), { mode: 0o755 });
    const socket = join(folder, 'run', 'app.sock');
    writeFileSync(join(folder, 'app.js'), APP);
    const env = { PORT: port, ALSO: other, SOCKET: socket };
    const keys = { umask: '027', listen: [port, socket], env, smoke: `test $(id -u) = ${ALICE}` };
    writeFileSync(join(folder, 'zdsup.config.mjs'), configOf(folder, keys));
    const master = await startMaster({ cwd: folder, args: [], env: { XDG_STATE_HOME: '/root/state' } });

    const me = await ask({ port });
    expect(me).toEqual({
      ...{ uid: ALICE, gid: ALICE, groups: [ALICE], umask: 0o027 },
      login: ['/', String(ALICE), String(ALICE), null],
      refused: 'EACCES',
    });
    expect(await ask({ socketPath: socket })).toEqual(me);
    const { uid, mode } = statSync(socket);
    expect([uid, (mode & 0o777).toString(8)]).toEqual([ALICE, '750']);
    expect((await master.run('describe')).stdout).toMatch(new RegExp(`may listen on +${port} ${socket}\\n`));

    // Somebody gives the whole folder away: what the user could have put into the config is not evaluated any more.
    const mark = join(folder, 'evaluated');
    rmSync(mark);
    chownSync(join(folder, 'zdsup.config.mjs'), ALICE, ALICE);
    const reload = await master.run('reload');
    expect(reload).toMatchObject({ code: 2, stderr: expect.stringContaining('ZDSUP_NOT_ROOTS_ALONE') });
    expect(reload.stderr).toContain(`zdsup.config.mjs is not root's alone: it belongs to user ${ALICE}`);
    expect(existsSync(mark)).toBe(false);
    expect(await ask({ port })).toEqual(me);
  });

  test('a start says which address the config has to name, and which file is not root alone to write', async () => {
    const folder = openFolder();
    const [port] = await freePorts(1);
    writeFileSync(join(folder, 'app.js'), 'require("node:http").createServer().listen(+process.env.PORT)');
    const failed = async (keys: object): Promise<string> => {
      writeFileSync(join(folder, 'zdsup.config.mjs'), configOf(folder, { env: { PORT: port }, ...keys }));
      const master = await startMaster({ cwd: folder, args: [], wait: false });
      await master.exited();
      return master.transcript();
    };
    expect(await failed({})).toContain(
      `port ${port}: EACCES (the workers run as user ${ALICE} and may listen on nothing that the config does not name: listen: [${port}])`,
    );
    expect(await failed({ listen: ['127.0.0.1:1'] })).toContain(
      `port ${port}: EACCES (listen in the config has 127.0.0.1:1, and not this one)`,
    );

    writeFileSync(join(folder, '.env'), 'TOKEN=hunter2\n', { mode: 0o666 });
    chownSync(join(folder, '.env'), ALICE, ALICE);
    const weak = await failed({ listen: [port], envFile: '.env' });
    expect(weak).toContain('ZDSUP_NOT_ROOTS_ALONE');
    expect(weak).not.toContain('hunter2');

    mkdirSync(join(folder, 'theirs'));
    chownSync(join(folder, 'theirs'), ALICE, ALICE);
    expect(await failed({ listen: [join(folder, 'theirs', 'app.sock')] })).toContain('ZDSUP_NOT_ROOTS_ALONE');

    // Where the workers could listen in the master's place, they would be shown its token.
    for (const socket of ['theirs/http.sock', '/tmp/shop-http.sock'])
      expect(await failed({ listen: [port], http: { socket } })).toMatch(
        /the folder \S+ is not root's alone: .+; root is asked at \S+http\.sock, with its token \(ZDSUP_NOT_ROOTS_ALONE\)/,
      );

    // Where the workers could put a link in the place of the log, root would write what they say into another file.
    for (const log of [{ out: 'theirs/out.log' }, { error: 'theirs/error.log' }, { out: '/tmp/shop-out.log' }])
      expect(await failed({ listen: [port], log })).toMatch(
        /the folder of the log \S+ is not root's alone: .+NOT_ROOTS/,
      );
    writeFileSync(join(folder, 'secret'), 'of root');
    symlinkSync(join(folder, 'secret'), join(folder, 'theirs', 'link'));
    symlinkSync(join(folder, 'theirs', 'link'), join(folder, 'out.log'));
    expect(await failed({ listen: [port], log: { out: 'out.log' } })).toContain('ZDSUP_NOT_ROOTS_ALONE');
    expect(readFileSync(join(folder, 'secret'), 'utf8')).toBe('of root');

    const closed = openFolder();
    mkdirSync(join(closed, 'own'), { mode: 0o700 });
    writeFileSync(join(closed, 'own', 'app.js'), APP);
    const told = await failed({ listen: [port], script: join(closed, 'own', 'app.js') });
    expect(told).toContain(
      `cannot read the script, ${join(closed, 'own', 'app.js')}: the folder ${closed}/own is closed to it`,
    );
  });
});
