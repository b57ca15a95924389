import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { othersSockets, withoutControlCharacters } from '../../src/client/others.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { ALICE, openFolder } from '../helpers/other-user.js';
import { onTestFinished } from '../helpers/side-by-side.js';

const isRoot = process.geteuid?.() === 0;

/** As the kernel has it, of a master with that run folder. */
const tableOf = (...folders: string[]): string =>
  [
    'Num       RefCount Protocol Flags    Type St Inode Path',
    '0000000000000000: 00000003 00000000 00000000 0001 03 38253530',
    ...folders.map((folder) => `000000006015ca3a: 00000002 00000000 00010000 0001 01 38278228 ${folder}/.4711`),
  ].join('\n');

async function runFolder(): Promise<string> {
  const folder = join(openFolder(), 'run');
  mkdirSync(folder, { mode: 0o700 });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, 'shop.sock'), resolve));
  onTestFinished(() => void server.close());
  return folder;
}

test.skipIf(!isRoot)(
  "another user's own socket in a folder of that user's alone is found, and nothing else",
  async () => {
    const folder = await runFolder();
    const socket = join(folder, 'shop.sock');
    const found = () => othersSockets([], tableOf(folder)).map(({ name }) => name);
    expect(found()).toEqual([]); // Root's own are worlds apart.
    chownSync(folder, ALICE, ALICE);
    expect(found()).toEqual([]); // The socket is root's still.
    chownSync(socket, ALICE, ALICE);
    expect(othersSockets([], tableOf(folder))).toEqual([
      { name: `${ALICE}/shop`, socketPath: socket, owner: `${ALICE}` },
    ]);
    expect(othersSockets([folder], tableOf(folder))).toEqual([]); // It is looked through anyway.
    const link = join(temporaryFolder(), 'link');
    symlinkSync(folder, link);
    expect(othersSockets([], tableOf(link)), 'a link may lead elsewhere later').toMatchObject([{ socketPath: socket }]);
    expect(othersSockets([], tableOf(join(folder, 'gone')))).toEqual([]);
    chmodSync(folder, 0o770);
    expect(found()).toEqual([]);
  },
);

test("what another user's master says cannot steer the terminal", () => {
  const said = JSON.stringify({ name: '\u001b[2Jshop\n', workers: [{ state: 'active\u009b1m' }] });
  expect(JSON.parse(said, withoutControlCharacters)).toEqual({
    name: '?[2Jshop?',
    workers: [{ state: 'active?1m' }],
  });
});
