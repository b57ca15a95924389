/** The pictures of the README and the docs: `PICTURES=docs/images npm run test:browser`. Of a real app under load; nothing in them is made up. */
import { mkdirSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';
import { launch, openPage, pictureOf } from './chromium.js';

/** Busy in waves; says what it does now and then. While there is a file `crash` in its folder no worker of it comes up. */
const APP = `
  const { existsSync } = require('node:fs');
  const { join } = require('node:path');
  const paths = ['/cart', '/checkout', '/items/42', '/items/7', '/search?q=tea'];
  let count = 0;
  const crashWhereTold = () => { if (existsSync(join(__dirname, 'crash'))) throw new Error('the database said no'); };
  crashWhereTold();
  setInterval(crashWhereTold, 20);
  require('node:http').createServer((request, response) => {
    const ms = 3 + (Math.sin(Date.now() / 9_000) + 1) * 4 + Math.random() ** 4 * 30;
    setTimeout(() => {
      if (count++ % 60 === 0) console.log(\`\${new Date().toISOString()} GET \${paths[count % paths.length]} 200 \${ms.toFixed(1)} ms\`);
      response.end('tea');
    }, ms);
  }).listen(process.env.PORT);`;

let browser: Browser;
beforeAll(async () => {
  if (process.env.PICTURES) browser = await launch();
});
afterAll(() => browser?.close());

test.skipIf(!process.env.PICTURES)(
  'a canary at its second step, light, dark and on a phone, and a crash loop',
  { timeout: 300_000 },
  async () => {
    const [port, http] = [await freePort(), 9000];
    mkdirSync(process.env.PICTURES!, { recursive: true });
    const project = makeProject({
      'server.js': APP,
      'zdsup.config.json': JSON.stringify({
        ...{ name: 'shop', script: 'server.js', instances: 4, minReady: 200, soak: 0, log: {}, http: { port: http } },
        canary: {
          steps: [
            { weight: 5, pause: '25s' },
            { weight: 50, pause: '10m' },
          ],
        },
        backoff: { initial: '50ms', cap: '500ms' },
        env: { PORT: port },
      }),
    });
    const master = await startMaster({ cwd: project.folder, args: [] });
    const loads = [startLoad({ port }, 5, perRequest()), startLoad({ port }, 3, keepAlive())];
    onTestFinished(async () => void (await Promise.all(loads.map((one) => one.stop()))));
    const link = (await master.run('dashboard')).stdout.trim();
    const { page } = await openPage(browser, link, { width: 1_280, height: 900 });
    await page.click('text=1 min');
    await loads[0]!.reached(1_500);
    project.write({ 'server.js': `${APP}\n// The next release.` });
    await page.click('#order-reload');
    await page.click('#dialog-ok');
    await page
      .locator('.generation .share', { hasText: /^50 %$/ })
      .first()
      .waitFor({ timeout: 120_000 });
    await page
      .locator('.generation .release', { hasText: /measured 4\d %/ })
      .first()
      .waitFor({ timeout: 60_000 });
    await page.locator('.verdict strong', { hasText: 'Good' }).waitFor({ timeout: 60_000 });
    await loads[0]!.reached(loads[0]!.tally.answered + 1_500);
    await page.screenshot({ path: pictureOf('dashboard') });
    await page.click('#order-canary');
    await page.fill('#weight', '75');
    await page.screenshot({ path: pictureOf('dashboard-order') });
    await page.keyboard.press('Escape');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: pictureOf('dashboard-dark') });
    const phone = await openPage(browser, link, { width: 360, height: 780 });
    await phone.page.locator('.part >> nth=1').waitFor();
    await phone.page.locator('#throughput-legend', { hasText: /[1-9]/ }).waitFor();
    await phone.page.locator('.tile', { hasText: /Memory\d+ MB/ }).waitFor();
    await phone.page.screenshot({ path: pictureOf('dashboard-phone') });
    await page.click('#order-promote');
    await page.click('#dialog-ok');
    await page.locator('.headline', { hasText: 'Succeeded' }).waitFor();
    project.write({ crash: '' });
    await page.locator('#app-state', { hasText: 'crash-looping' }).waitFor();
    // As its caption in the docs says.
    await page.locator('#split-by', { hasText: 'no worker is active: new connections wait' }).waitFor();
    await page.locator('.event', { hasText: 'crash-loops' }).first().waitFor();
    await page.evaluate('scrollTo(0, 0)');
    await page.screenshot({ path: pictureOf('dashboard-crash-loop') });
    expect(await page.isVisible('text=no worker is active: new connections wait'), 'the caption holds').toBe(true);
    expect((await master.status()).state).toBe('crash-looping');
  },
);
