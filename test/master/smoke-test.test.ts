/** What a smoke test is told with: all that its script has written, also what the pipes still hold when it ends. */
import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { Plan } from '../../src/master/plan.js';
import { startSmokeTest } from '../../src/master/smoke-test.js';
import { isAlive, killOwn } from '../helpers/cleanup.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';

// CommonJS in TypeScript, which only the build can read; stderr is this test's own.
vi.mock('../../src/node-internals/stdio.cjs', () => ({ keepNonBlocking() {} }));

const PLAN = { cwd: '/', identity: null, env: { PATH: process.env.PATH } } as unknown as Plan;

/** What stands at the moment it settles, and not what comes in later. */
const toldOf = async (run: string, timeoutMs = 60_000): Promise<{ reason: string; lines: string[] } | null> =>
  structuredClone(await startSmokeTest(PLAN, { run, timeoutMs }, undefined).ended);

// The words are made by the script: its command is named in the reason anyway.
test.each([
  ['that what it has started could still end', `w=empty; sleep 300 & printf "the till is $w"; exit 7`, 60_000],
  ['that it was given no time to end', `w=empty; printf "the till is $w"; sleep 300`, 500],
])('a script ends with a line %s: it is told', async (_, run, timeoutMs) => {
  expect((await toldOf(run, timeoutMs))?.lines).toEqual(['the till is empty']);
});

test('output that a process of another session holds open is not waited for', async () => {
  const project = makeProject({});
  const holder = "setsid sh -c 'echo $$ > pid; exec sleep 60' & until [ -s pid ]; do :; done";
  const told = await toldOf(`cd ${project.folder}; w=empty; ${holder}; echo "the till is $w"; exit 7`);
  const pid = Number(readFileSync(project.path('pid'), 'utf8'));
  onTestFinished(() => killOwn(pid));
  expect(told?.lines).toEqual(['the till is empty']);
  expect(isAlive(pid)).toBe(true);
});

test('a script that writes nothing, and closes its output, is heard as well', async () => {
  expect(await toldOf('exec >&- 2>&-; exit 7')).toMatchObject({ reason: expect.stringContaining('code 7'), lines: [] });
  expect(await toldOf('exec >&- 2>&-')).toBeNull();
});
