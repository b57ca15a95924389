/** A word too many, too few or misplaced is answered with the command as it would have to be typed, for the app that is there. */
import { userInfo } from 'node:os';
import { expect, test } from 'vitest';
import { answering, makeProject } from '../helpers/project.js';
import { expectRefusal } from '../helpers/refusal.js';
import { makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

const WRONG: [args: string[], exitStatus: number, says: RegExp][] = [
  [
    ['rollback', '3'],
    2,
    /rollback: 3 is no app .*\nhint: a release is named by --to and its id: zdsup rollback counter --to <release>; zdsup releases counter lists them\n/,
  ],
  [['rollback', '3de39c7d'], 2, /3de39c7d is no app .*\nhint: .* zdsup rollback counter --to <release>/],
  [['rollback', '--to', ''], 2, /rollback: --to names no release .*\nhint: zdsup releases counter lists them\n/],
  [
    ['rollback', 'counter', '--to', ' '],
    2,
    /rollback: --to names no release .*\nhint: zdsup releases counter lists them/,
  ],
  [['rollback', '3', '--to', '3de39c7d'], 2, /3 is no app .*\nhint: zdsup status lists the apps that are known\n/],
  [['promote', '5'], 3, /5 is not running \(running: counter\) .*\nhint: zdsup status lists the apps that are known\n/],
  [['history', 'abc'], 3, /abc is not running .*\nhint: zdsup status lists the apps that are known\n/],
  [['reload', 'countre'], 3, /countre is not running .*\nhint: did you mean counter\?\n/],
  [['canary', 'counter'], 2, /canary: no weight was given .*\nhint: .* zdsup canary counter 50\n/],
  [['canary', 'half'], 2, /canary: half is no weight .*\nhint: .* zdsup canary counter 50\n/],
  [['canary', 'counter', '-1'], 2, /canary: -1 is no weight /],
  [['scale', 'counter'], 2, /scale: no number was given .*\nhint: zdsup scale counter 4, /],
  [['scale', 'counter', 'many'], 2, /scale: many is no number of workers /],
  [['history', '-x'], 2, /./],
  [
    ['history', 'counter', '1', '2'],
    2,
    /counter 1 2 is no app and no rollout .*\nhint: zdsup history counter, zdsup history counter 12\n/,
  ],
];

test('of an app that runs', { timeout: 60_000 }, async () => {
  const project = makeProject({ 'app.js': answering("''", 0) });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'counter'] });
  const answers = await Promise.all(WRONG.map(([args]) => zdsup(master.world, args)));
  for (const [at, [, exitStatus, says]] of WRONG.entries()) expectRefusal(answers[at]!, exitStatus, says);
  expect((await master.status()).rollout).toMatchObject({ id: 1, outcome: 'succeeded' });
});

test('of none that is known', async () => {
  const world = makeWorld();
  const told = async (...args: string[]): Promise<string> => (await zdsup(world, args)).stderr;
  expect(await told('canary')).toContain('zdsup canary <app> 50');
  expect(await told('promote', 'shop')).toContain('hint: start it with zdsup start <script>');
  if (process.geteuid?.() !== 0) return;
  const { username } = userInfo();
  expect(await told('delete', `${username}/shop`)).toContain(`runuser -u ${username} -- zdsup delete shop\n`);
});
