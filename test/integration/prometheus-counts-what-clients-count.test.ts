/** A real Prometheus scrapes the master: over ten reloads, what it has is what clients counted, exactly, and nothing ever fell. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePorts } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import { startMaster } from '../helpers/zdsup.js';

const RELOADS = 10;
const SCRAPE_MS = 500;

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

/** Debian's, on a port and a folder of its own. */
async function startPrometheus(port: number, target: number): Promise<(query: string) => Promise<Sample[]>> {
  const folder = temporaryFolder();
  const config = {
    global: { scrape_interval: `${SCRAPE_MS}ms`, scrape_timeout: `${SCRAPE_MS}ms` },
    scrape_configs: [{ job_name: 'zdsup', static_configs: [{ targets: [`127.0.0.1:${target}`] }] }],
  };
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config)); // JSON is YAML.
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  const child = spawn('prometheus', [...args, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
  onTestFinished(async () => {
    if (child.pid === undefined || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    killOwn(child.pid);
    await gone;
  });
  child.on('error', () => {}); // It is not installed: what waits for it says so.
  return async (query) => {
    const url = `http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query })}`;
    const answer = await fetch(url)
      .then((response) => response.json())
      .catch(() => null);
    return ((answer as { data?: { result: Sample[] } } | null)?.data?.result ?? []) as Sample[];
  };
}

test('over ten reloads, by class and by generation', { timeout: 120_000 }, async () => {
  const [port, http, prometheusPort] = (await freePorts(3)) as [number, number, number];
  const project = makeProject({
    'app.cjs': `require('node:http').createServer((request, response) => response.end('pid ' + process.pid)).listen(${port});`,
    'zdsup.config.json': JSON.stringify({ name: 'scraped', script: 'app.cjs', minReady: 0, soak: 0, http }),
  });
  const query = await startPrometheus(prometheusPort, http);
  const master = await startMaster({ cwd: project.folder, args: [] });
  const loads = [startLoad({ port }, 4, keepAlive()), startLoad({ port }, 2, perRequest())];
  for (const load of loads) await load.reached(20);
  await until(
    'prometheus has scraped',
    () => query('up == 1'),
    (found) => found.length > 0,
    30_000,
  );
  for (let reload = 1; reload <= RELOADS; reload += 1) {
    master.signal('SIGHUP');
    await master.serving(reload + 1);
  }
  const tallies = await Promise.all(loads.map((load) => expectNothingLost(load, 20)));
  const answered = tallies.reduce((sum, tally) => sum + tally.answered, 0);

  // A scrape that begins from here on has all of it.
  const since = Date.now() / 1_000;
  await until(
    'a scrape after the load',
    () => query('timestamp(up)'),
    ([up]) => Number(up?.value[1]) > since,
  );
  const figureOf = async (text: string): Promise<number> => Number((await query(text))[0]?.value[1]);
  expect(await figureOf('sum(zdsup_app_http_requests_total{app="scraped"})')).toBe(answered);
  expect(await figureOf('zdsup_app_http_requests_total{app="scraped",code="2xx"}')).toBe(answered);
  expect(await figureOf('sum(zdsup_http_requests_total{app="scraped"})')).toBe(answered);
  expect(await figureOf('sum(zdsup_http_request_duration_seconds_count)')).toBe(answered);
  expect(await figureOf('count(zdsup_http_requests_total{code="2xx"})')).toBe(RELOADS + 1);
  expect(await figureOf('sum(resets(zdsup_app_http_requests_total[5m]))')).toBe(0);
  expect(await figureOf('zdsup_rollouts_total{outcome="succeeded"}')).toBe(RELOADS + 1);
  expect(await figureOf('count(zdsup_worker_connections)'), 'of live workers alone').toBe(1);
});
