/** The preload, the planner and the master shake hands on their version: an upgrade of zdsup's files is never half-run. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { makeWorld, startMaster } from '../helpers/zdsup.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('zdsup upgraded on disk: a reload is refused with the reason, a respawn says so, and the old workers serve on', async () => {
  const installed = temporaryFolder();
  for (const part of ['bin', 'dist', 'package.json'])
    cpSync(join(ROOT, part), join(installed, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  const port = await freePort();
  const project = makeProject({ 'app.js': answering('process.pid', port) });
  const world = makeWorld({}, join(installed, 'bin/zdsup.js'));
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'upgraded', '-i', '2'], world });
  const [first, second] = (await master.status()).workers;

  for (const file of ['dist/master/planning/planner.js', 'dist/worker/preload.cjs']) {
    const text = readFileSync(join(installed, file), 'utf8');
    writeFileSync(join(installed, file), text.replace(/VERSION = (['"])\d+\.\d+\.\d+\1/, "VERSION = '99.0.0'"));
  }
  const { code, stderr } = await master.run('reload');
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /the master runs zdsup \d+\.\d+\.\d+, the files on disk are 99\.0\.0 \(ZDSUP_VERSION_MISMATCH\)/,
  );
  expect(stderr).toContain('hint: restart the master to finish the upgrade');

  killOwn(first!.pid!);
  await master.seen('the respawn refuses', (line) => /exited with code 1 before it was ready/.test(line.msg));
  expect(master.stderrLines.join('\n')).toContain('restart the master to finish the upgrade (ZDSUP_VERSION_MISMATCH)');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(String(second!.pid));
});
