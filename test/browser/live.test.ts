/** The page of a real master in a real browser, under load: what a person does on the day of a release, by its buttons alone. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { shownLine } from '../../src/dashboard/pure/log-line.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import type { Load } from '../helpers/load/load.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { makeWorld, startMaster } from '../helpers/zdsup.js';
import { launch, openPage, pictureOf } from './chromium.js';

/** Answers after a moment; crashes again and again while there is a file `crash` in its folder. */
const app = (release: string): string => `
  const { existsSync } = require('node:fs');
  const { join } = require('node:path');
  let count = 0;
  setInterval(() => { if (existsSync(join(__dirname, 'crash'))) throw new Error('the database said no'); }, 20);
  require('node:http').createServer((request, response) => setTimeout(() => {
    if (count++ % 100 === 0) console.log(\`GET \${request.url} 200\`);
    response.end('${release}');
  }, 2 + Math.random() * 6)).listen(process.env.PORT);`;

/** What a browser says of its own when nobody listens: the page cannot keep it from that. */
const CUT_OFF = /WebSocket connection to .* failed|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/;

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

/** Each connection carries few requests: shares of connections are shares of requests. */
async function load(port: number): Promise<Load[]> {
  const loads = [startLoad({ port }, 3, perRequest()), startLoad({ port }, 1, keepAlive())];
  onTestFinished(async () => void (await Promise.all(loads.map((one) => one.stop()))));
  await Promise.all(loads.map((one) => one.reached(20)));
  return loads;
}

async function linkOf(master: Master): Promise<string> {
  const { code, stdout, stderr } = await master.run('dashboard');
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

/** Opens the question of a button, and says yes. */
async function order(page: Page, name: string, fill: () => Promise<void> = async () => {}): Promise<string> {
  await page.click(`#order-${name}`);
  await fill();
  const command = await page.textContent('#dialog-command');
  await page.click('#dialog-ok');
  return command ?? '';
}

const textOf = (page: Page, selector: string) => page.locator(selector);
const seen = (page: Page, selector: string, text: string | RegExp): Promise<void> =>
  textOf(page, selector).filter({ hasText: text }).first().waitFor({ timeout: 30_000 });

test('a release goes from 5 to 50 to 100 percent under load, a second one is aborted, and a crash loop and a new master are seen', async () => {
  const [port, http] = [await freePort(), await freePort()];
  const project = makeProject({
    'app.js': app('one'),
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'shop', script: 'app.js', instances: 4, minReady: 100, soak: '2s', log: {}, http: { port: http } },
      backoff: { initial: '50ms', cap: '500ms' },
      env: { PORT: port },
    }),
  });
  const world = makeWorld();
  const master = await startMaster({ world, cwd: project.folder, args: [] });
  const loads = await load(port);
  const link = await linkOf(master);
  const { page, errors, foreign } = await openPage(browser, link, { expected: CUT_OFF });

  // The link opens, and the token leaves the address bar.
  await seen(page, '#app-state', 'running');
  expect(page.url()).toBe(`http://127.0.0.1:${http}/`);
  await seen(page, '#throughput-legend', /[1-9]/);
  await seen(page, '.generation', /Generation 1\s*serving/);
  await seen(page, '#log', 'GET /');
  expect(shownLine(JSON.stringify(master.log.at(-1))).text, 'a line of a daemon, in its log').toMatch(
    /^\[[\d:]+\] shop: /,
  );
  expect(await page.getAttribute('#order-rollback', 'title')).toBe('nothing that was good before is known');

  // 5 → 50 → 100.
  project.write({ 'app.js': app('two') });
  const reload = await order(page, 'reload', async () => {
    await page.selectOption('#reload-how', 'weight');
    await page.fill('#reload-weight', '5');
  });
  expect(reload).toBe('zdsup reload shop --weight 5');
  await seen(page, '.generation[data-lane="2"] .share', /^5 %$/);
  await seen(page, '.step[data-state=now]', /Canary\s*5 %/);
  const weight = await order(page, 'canary', () => page.fill('#weight', '50'));
  expect(weight).toBe('zdsup canary shop 50');
  await seen(page, '.generation[data-lane="2"] .share', /^50 %$/);
  await seen(page, '.generation[data-lane="2"] .release', /measured [2-7]\d %/);
  await page.screenshot({ path: pictureOf('live-canary') });
  await order(page, 'promote');
  await seen(page, '.generation[data-role=serving]', 'Generation 2');
  await seen(page, '.headline', /Succeeded\s*Reload from generation 1 to 2/);
  await seen(page, '.order', /zdsup promote shop/);
  expect(await page.isEnabled('#order-rollback')).toBe(true);

  // A second one is given up.
  project.write({ 'app.js': app('three') });
  await order(page, 'reload', async () => {
    await page.selectOption('#reload-how', 'weight');
    await page.fill('#reload-weight', '25');
  });
  await seen(page, '.generation[data-lane="3"] .share', /^25 %$/);
  expect(await order(page, 'abort')).toBe('zdsup abort shop');
  await seen(page, '.headline', /Aborted\s*Reload from generation 2 to 3: aborted by hand/);
  await page.locator('#order-reload:enabled').waitFor();
  expect((await master.status()).generation).toBe(2);

  // One that cannot start says why.
  project.write({ 'app.js': "throw new Error('no <b>database</b>');" });
  await order(page, 'reload');
  await seen(page, '.order-output .line', 'Error: no <b>database</b>');
  await seen(page, '.order', /before it was ready/);
  project.write({ 'app.js': app('three') });
  await page.locator('#order-reload:enabled').waitFor();
  for (const one of loads) await expectNothingLost(one);

  // It crashes again and again.
  project.write({ crash: '' });
  await seen(page, '#app-state', 'crash-looping');
  await seen(page, '.event[data-tone=bad]', /crash-loops/);
  await seen(page, '#log', 'the database said no');
  project.remove('crash');

  // The master ends, and another one comes.
  master.signal('SIGTERM');
  await seen(page, '#lost', /Connection lost/);
  expect(await page.isDisabled('#order-reload')).toBe(true);
  await master.exited();
  const next = await startMaster({ world, cwd: project.folder, args: [] });
  await page.locator('body[data-connection=live]').waitFor();
  await seen(page, '#master-facts', `master ${next.pid}`);
  await seen(page, '#app-state', 'running');
  expect(await page.isHidden('#lost')).toBe(true);

  expect(errors).toEqual([]);
  expect(foreign).toEqual([]);
  expect(existsSync(join(world.home, 'tokens', 'shop'))).toBe(true);
});

test('a wrong token gets a page that says where the right one is, and the page of a read-only master has no buttons', async () => {
  const [port, http] = [await freePort(), await freePort()];
  const project = makeProject({
    'app.js': app('one'),
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'shop', script: 'app.js', http: { port: http, readOnly: true }, env: { PORT: port } },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const wrong = await openPage(browser, `http://127.0.0.1:${http}/?token=wrong`, { expected: /401/ });
  await seen(wrong.page, 'body', /does not hold.*zdsup dashboard shop/s);
  const { page, errors } = await openPage(browser, await linkOf(master));
  await seen(page, '#read-only', 'read-only');
  await seen(page, '#app-state', 'running');
  expect(await page.locator('.buttons button:visible').count()).toBe(0);
  expect([...errors, ...wrong.errors]).toEqual([]);
});
