/** examples/queue-worker: reloads while jobs are worked off lose none, and do none twice. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commandsOf, copyExample, startExample } from '../helpers/examples.js';
import { until } from '../helpers/until.js';

test('queue-worker: workers that a reload retires finish the job in hand, and each job is done once', {
  timeout: 200_000,
}, async () => {
  const project = copyExample('queue-worker');
  const jobs = (state: string): string[] => readdirSync(project.path('queue-worker/queue', state));
  const [add] = commandsOf('queue-worker');
  const [, script, count] = add!.split(' ') as [string, string, string];
  const addJobs = (): unknown => execFileSync(process.execPath, [script, count], { cwd: project.path('queue-worker') });
  addJobs();
  expect(jobs('waiting')).toHaveLength(Number(count));

  const master = await startExample(project, 'queue-worker', { JOB_MS: '300' });
  const RELOADS = 2;
  for (let reload = 1; reload <= RELOADS; reload++) {
    await until(
      'both workers are at work',
      () => jobs('taken').length,
      (taken) => taken === 2,
    );
    addJobs();
    const { code, stderr } = await master.run('reload');
    expect(code, stderr).toBe(0);
    addJobs();
  }
  const all = (1 + 2 * RELOADS) * Number(count);
  await until(
    'all jobs are done',
    () => jobs('done').length,
    (done) => done === all,
    120_000,
  );
  expect(jobs('taken')).toEqual([]);
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();

  const said = (what: string): string[] =>
    master.stdoutLines.flatMap((line) => new RegExp(`^\\d+ ${what} (.*)$`).exec(line)?.[1] ?? []).sort();
  expect(said('begins')).toEqual(jobs('done').sort());
  expect(said('has done')).toEqual(jobs('done').sort());
  expect(new Set(master.stdoutLines.map((line) => line.split(' ')[0])).size, 'three generations were at work').toBe(6);
  expect(master.stderrLines).toEqual([]);
});
