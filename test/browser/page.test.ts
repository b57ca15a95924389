/** The page beside a master that is only its HTTP side: every state that there is to show, in both schemes, on a phone, by keyboard, and with names that would be markup. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ControlResult } from '../../src/shared/control-protocol.js';
import type { PageMessage, ServerMessage } from '../../src/shared/dashboard-protocol.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { VERSION } from '../../src/shared/version.cjs';
import { freePort } from '../helpers/ports.js';
import type { PageOptions, Watched } from './chromium.js';
import { launch, openPage } from './chromium.js';
import type { FakeState } from './fake-app.js';
import { fakeApp, fakeCanary, fakeEvent, fakeHistory } from './fake-app.js';
import type { FakeMaster } from './fake-master.js';
import { startFakeMaster } from './fake-master.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** What a browser says of its own when nobody listens, or it is sent away. */
const CUT_OFF = /WebSocket connection to .* failed|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|status of 401/;

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const OLD = { generation: 7, release: '20261124-091502', workers: 4, share: 1 };
const NEW = { generation: 8, release: '20261126-120411', workers: 1, share: 0.05 };
const SERVING: Omit<FakeState, 'at'> = { generations: [OLD] };
const canaryAt = (at: number): FakeState => ({
  at,
  generations: [{ ...OLD, share: 0.95 }, NEW],
  rollout: fakeCanary(at, 5),
});

interface Stage extends Watched {
  master: FakeMaster;
  /** Sends one sample, and waits until it is shown. */
  show(app: AppSnapshot): Promise<void>;
}

interface StageOptions extends PageOptions {
  readOnly?: boolean;
  app?: AppSnapshot;
  version?: () => string;
  more?: ServerMessage[];
  onHeard?: (message: PageMessage, answer: (message: ServerMessage) => void) => void;
}

async function openStage({
  readOnly = false,
  app,
  version = () => VERSION,
  more = [],
  onHeard,
  ...options
}: StageOptions = {}): Promise<Stage> {
  const now = Date.now();
  const shown = app ?? fakeApp({ at: now, ...SERVING });
  const hello = (): ServerMessage[] => [
    {
      type: 'hello',
      app: shown,
      readOnly,
      version: version(),
      history: fakeHistory(now, 300, (at) => ({ at, ...SERVING })),
      events: [
        fakeEvent(now - 100_000, 'prepared', 'generation 7: starting 4 workers'),
        fakeEvent(now - 90_000, 'serving', 'generation 7 serves with 4 workers'),
      ],
    },
    ...more,
  ];
  const master = await startFakeMaster(await freePort(), hello, onHeard);
  onTestFinished(() => master.goAway());
  const watched = await openPage(browser, master.url, options);
  onTestFinished(() => watched.page.context().close());
  await watched.page.locator('body[data-connection=live]').waitFor();
  return {
    ...watched,
    master,
    async show(next) {
      master.send({ type: 'sample', app: next });
      await watched.page.waitForFunction(
        'new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(() => shown(true))))',
      );
    },
  };
}

/** Violations of a kind that keeps somebody out, in words. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE); // By the debugger: the policy of the page would not let it in.
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[];
        }>;
      };
    };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
  });
}

const overflow = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

const focused = (page: Page): Promise<string> => page.evaluate("document.activeElement?.id ?? ''");

describe('nobody is kept out, in light and dark, wide and on a phone', () => {
  const states: [string, (at: number) => AppSnapshot][] = [
    ['serving', (at) => fakeApp({ at, ...SERVING })],
    ['a canary', (at) => fakeApp(canaryAt(at))],
    [
      'a failed rollout and a crash loop',
      (at) => {
        const app = fakeApp({
          at,
          ...SERVING,
          state: 'crash-looping',
          rollout: fakeCanary(at, 5, {
            step: 'done',
            outcome: 'failed',
            weight: null,
            reason: 'p99 80 ms, the stable generation’s 20 ms',
          }),
        });
        const [first] = app.workers;
        Object.assign(first!, {
          state: 'waiting',
          pid: null,
          startedAt: null,
          respawnAt: new Date(at + 9_000).toISOString(),
          restarts: 12,
        });
        return app;
      },
    ],
    ['no figures', (at) => ({ ...fakeApp({ at, ...SERVING }), figures: undefined as never })],
  ];
  const views: [string, PageOptions][] = [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['on a phone', { width: 360, height: 760, colorScheme: 'dark' }],
  ];
  test.for(views)('%s', async ([, options]) => {
    const { page, show, errors, foreign } = await openStage(options);
    for (const [state, appAt] of states) {
      await show(appAt(Date.now()));
      expect(await barriers(page), state).toEqual([]);
      expect(await overflow(page), `${state}: so many px too wide`).toBe(0);
    }
    await page.click('#order-reload');
    await page.selectOption('#reload-how', 'weight');
    expect(await barriers(page), 'a question').toEqual([]);
    await page.keyboard.press('Escape');
    await show(fakeApp(canaryAt(Date.now())));
    for (const name of ['canary', 'promote', 'scale']) {
      if (name === 'scale') await show(fakeApp({ at: Date.now(), ...SERVING }));
      await page.click(`#order-${name}`);
      expect(await barriers(page), `the question of ${name}`).toEqual([]);
      await page.keyboard.press('Escape');
    }
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });
});

describe('an order', () => {
  test('is asked for, shows its command, is given once, and its outcome is shown and spoken', async () => {
    const at = Date.now();
    const { page, master, errors } = await openStage({
      app: fakeApp(canaryAt(at)),
      onHeard(message, answer) {
        if (message.type !== 'order') return;
        answer({
          type: 'progress',
          id: message.id,
          progress: { type: 'progress', kind: 'accepted', at: new Date().toISOString(), message: 'on its way' },
        });
        answer({
          type: 'result',
          id: message.id,
          result: {
            type: 'result',
            ok: true,
            exitStatus: 0,
            command: 'canary',
            generation: 8,
            durationMs: 3,
            message: 'generation 8 gets 50 %',
          },
        });
      },
    });
    await page.click('#order-canary');
    expect(await page.textContent('#dialog-title')).toBe('Another weight for generation 8?');
    await page.fill('#weight', '101');
    expect(await page.isDisabled('#dialog-ok')).toBe(true);
    expect(await page.textContent('#dialog-why')).toContain('from 0 to 100');
    await page.fill('#weight', '50');
    expect(await page.textContent('#dialog-command')).toBe('zdsup canary shop 50');
    await page.click('#dialog-ok');
    await page.locator('.order', { hasText: 'generation 8 gets 50 %' }).waitFor();
    await page.locator('#spoken', { hasText: 'zdsup canary shop 50: done' }).waitFor({ state: 'attached' });
    const orders = master.heard.filter(({ type }) => type === 'order');
    expect(orders).toEqual([{ type: 'order', id: 1, request: { command: 'canary', weight: 50 } }]);
    expect(errors).toEqual([]);
  });

  test('that fails says why and what to do, and stays until it is dismissed', async () => {
    const { page } = await openStage({
      onHeard(message, answer) {
        if (message.type !== 'order') return;
        answer({
          type: 'result',
          id: message.id,
          result: {
            type: 'result',
            ok: false,
            exitStatus: 4,
            error: {
              code: 'ZDSUP_ROLLOUT_UNDER_WAY',
              message: 'another rollout is under way',
              hint: 'zdsup status shop',
              exitStatus: 4,
            },
          },
        });
      },
    });
    await page.click('#order-reload');
    await page.click('#dialog-ok');
    await page.locator('.order', { hasText: 'another rollout is under way (zdsup status shop)' }).waitFor();
    await page.click('.order button');
    await page.locator('.order').waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('main');
  });

  test('whose worker has failed shows what that wrote last, as text', async () => {
    const { page } = await openStage({
      onHeard(message, answer) {
        if (message.type !== 'order') return;
        const error = {
          code: 'ZDSUP_ROLLOUT_FAILED',
          message: 'worker 0 of generation 8 exited with code 1 before it was ready',
        };
        const result = { type: 'result', ok: false, exitStatus: 1, error: { ...error, exitStatus: 1 } } as const;
        const stderr = ['line 0', ...new Array(19).fill('    at …'), 'Error: no <b>database</b> \u001b[31m!\u001b[0m'];
        answer({ type: 'result', id: message.id, result: { ...result, stderr } as ControlResult });
      },
    });
    await page.click('#order-reload');
    await page.click('#dialog-ok');
    await page.locator('.order', { hasText: 'exited with code 1 before it was ready' }).waitFor();
    const lines = await page.locator('.order-output .line').allTextContents();
    expect(lines).toHaveLength(20);
    expect(lines.at(-1)).toBe('Error: no <b>database</b> !');
    expect(lines[0], 'the last ones').not.toBe('line 0');
    expect(await page.locator('.order-output b').count()).toBe(0);
    expect(await barriers(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
  });

  test('asks for what there is: another number, another weight, and something to go back to', async () => {
    const { page, show } = await openStage({ app: fakeApp({ at: Date.now(), ...SERVING, more: { noWayBack: true } }) });
    expect(await page.isDisabled('#order-rollback')).toBe(true);
    expect(await page.getAttribute('#order-rollback', 'title')).toBe('nothing that was good before is known');
    await page.click('#order-scale');
    expect(await page.isDisabled('#dialog-ok')).toBe(true);
    expect(await page.textContent('#dialog-why')).toBe('Not possible: it has 4 workers already.');
    await page.fill('#scale-to', '5');
    expect(await page.isDisabled('#dialog-ok')).toBe(false);
    await page.keyboard.press('Escape');
    await show(fakeApp(canaryAt(Date.now())));
    expect(await page.isDisabled('#order-rollback')).toBe(false);
    await page.click('#order-canary');
    expect(await page.textContent('#dialog-why')).toBe('Not possible: generation 8 gets 5 % already.');
    await page.fill('#weight', '6');
    expect(await page.isDisabled('#dialog-ok')).toBe(false);
  });

  test('that makes no sense any more while it is asked about cannot be given', async () => {
    const { page, master, show } = await openStage({ app: fakeApp(canaryAt(Date.now())) });
    await page.click('#order-abort');
    await show(fakeApp({ at: Date.now(), ...SERVING }));
    expect(await page.isDisabled('#dialog-ok')).toBe(true);
    expect(await page.textContent('#dialog-why')).toContain('no rollout is under way');
    await page.keyboard.press('Escape');
    await expect.poll(() => focused(page), { message: 'its button is disabled now' }).toBe('main');
    expect(await page.getAttribute('#order-abort', 'title')).toBe('no rollout is under way');
    expect(await page.getAttribute('#order-reload', 'title'), 'one that makes sense').toBe(null);
    expect(master.heard.filter(({ type }) => type === 'order')).toEqual([]);
  });

  test('is given by keyboard alone, and the focus comes back', async () => {
    const { page, master } = await openStage();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement?.textContent')).toBe('Skip to the figures');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('order-reload');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toBe('scale-to');
    await page.keyboard.type('6');
    await page.keyboard.press('Escape');
    expect(await focused(page)).toBe('order-scale');
    await page.keyboard.press('Enter');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('6');
    await page.keyboard.press('Enter');
    await page.locator('.order', { hasText: 'zdsup scale shop 6' }).waitFor();
    expect(await focused(page)).toBe('order-scale');
    expect(master.heard.at(-1)).toEqual({ type: 'order', id: 1, request: { command: 'scale', to: '6' } });
  });

  test('is what was chosen, and the command says the same', async () => {
    const app = fakeApp(canaryAt(Date.now()));
    const { page, master, show } = await openStage({ app });
    const given = async (name: string, choose: () => Promise<unknown>): Promise<[string | null, unknown]> => {
      await page.click(`#order-${name}`);
      await choose();
      const command = await page.textContent('#dialog-command');
      const count = master.heard.length;
      await page.click('#dialog-ok');
      await expect.poll(() => master.heard.length).toBe(count + 1);
      return [command, (master.heard.at(-1) as { request: unknown }).request];
    };
    const slide = () => page.fill('.slider', '30');
    expect(await given('canary', slide)).toEqual(['zdsup canary shop 30', { command: 'canary', weight: 30 }]);
    expect(await given('promote', async () => {})).toEqual(['zdsup promote shop', { command: 'promote' }]);
    expect(await given('promote', () => page.check('#promote-full'))).toEqual([
      ...['zdsup promote shop --full', { command: 'promote', full: true }],
    ]);
    expect(await given('pause', async () => {})).toEqual(['zdsup pause shop', { command: 'pause' }]);
    expect(await given('rollback', async () => {})).toEqual(['zdsup rollback shop', { command: 'rollback' }]);
    await show(fakeApp({ at: Date.now(), ...SERVING }));
    const how = (value: string) => () => page.selectOption('#reload-how', value);
    expect(await given('reload', how('config'))).toEqual(['zdsup reload shop', { command: 'reload' }]);
    expect(await given('reload', how('all'))).toEqual([
      ...['zdsup reload shop --no-canary', { command: 'reload', noCanary: true }],
    ]);
    expect(await given('reload', how('weight'))).toEqual([
      ...['zdsup reload shop --weight 5', { command: 'reload', weight: 5 }],
    ]);
  });

  test('that is under way when the connection is lost is unknown from then on', async () => {
    const { page, master } = await openStage({ expected: CUT_OFF });
    await page.click('#order-reload');
    await page.click('#dialog-ok');
    await page.locator('.order', { hasText: 'under way' }).waitFor();
    await master.goAway();
    await page.locator('.order', { hasText: 'unknown' }).waitFor();
    await page.locator('#spoken', { hasText: 'zdsup reload shop: unknown' }).waitFor({ state: 'attached' });
  });

  test('has no button on a read-only page', async () => {
    const { page } = await openStage({ readOnly: true });
    expect(await page.locator('.buttons button:visible').count()).toBe(0);
    await page.locator('#read-only:visible').waitFor();
  });
});

describe('the connection', () => {
  test('that is lost is said, the buttons rest, and it comes back by itself', async () => {
    const { page, master, errors } = await openStage({ expected: CUT_OFF });
    await master.goAway();
    await page.locator('#lost', { hasText: /Connection lost\. What is shown is of .* Trying/ }).waitFor();
    expect(await page.isDisabled('#order-reload')).toBe(true);
    expect(await page.title()).toBe('shop: connection lost');
    await page.locator('#spoken', { hasText: 'Connection lost' }).waitFor({ state: 'attached' });
    expect(await barriers(page)).toEqual([]);
    await master.comeBack();
    await page.locator('body[data-connection=live]').waitFor();
    expect(await page.isVisible('#lost')).toBe(false);
    expect(await page.isDisabled('#order-reload')).toBe(false);
    expect(master.heard.filter(({ type }) => type === 'log')).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  test('that is gone for longer says where else to look: a new address is one that the page cannot know', async () => {
    const { page, master } = await openStage({ expected: CUT_OFF });
    const lost = page.locator('#lost');
    await master.goAway();
    await lost.filter({ hasText: 'Trying again' }).waitFor();
    expect(await lost.textContent()).not.toContain('zdsup dashboard');
    await lost.filter({ hasText: 'zdsup dashboard shop prints the link if it has another one by now' }).waitFor();
    await page.locator('#spoken', { hasText: 'zdsup dashboard shop' }).waitFor({ state: 'attached' });
    await master.comeBack();
    await page.click('#lost-retry');
    await page.locator('body[data-connection=live]').waitFor();
  });

  test('that is lost under an order says where it is told what came of it, by the same master and by another one', async () => {
    for (const [masterPid, words] of [
      [4_711, 'the rollout shows what came of it'],
      [4_712, 'zdsup history shop says what came of it'],
    ] as const) {
      const app = fakeApp({ at: Date.now(), ...SERVING });
      const { page, master } = await openStage({ expected: CUT_OFF, app });
      await page.click('#order-reload');
      await page.click('#dialog-ok');
      await page.locator('.order', { hasText: 'under way' }).waitFor();
      await master.goAway();
      await page.locator('.order', { hasText: /unknown.*before its answer/ }).waitFor();
      app.masterPid = masterPid;
      await master.comeBack();
      await page.locator('.order', { hasText: words }).waitFor();
    }
  });

  test('on which nothing comes any more is lost, whatever TCP thinks, and another one is opened', async () => {
    const { page, master } = await openStage();
    const greeted = () => master.heard.filter(({ type }) => type === 'log').length;
    expect(greeted()).toBe(1);
    await expect.poll(greeted, { timeout: 20_000 }).toBe(2); // 8 s after the greeting.
    await page.locator('#spoken', { hasText: 'Connection lost' }).waitFor({ state: 'attached' });
    await page.locator('body[data-connection=live]').waitFor();
  });

  test.for([
    ['the network is back', "window.dispatchEvent(new Event('online'))"],
    ['the page is looked at again', "document.dispatchEvent(new Event('visibilitychange'))"],
    ['somebody asks for it', "document.getElementById('lost-retry').click()"],
  ] as const)('is tried at once when %s', async ([, happens]) => {
    const { page, master, errors } = await openStage({ expected: CUT_OFF });
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 1_000); // By itself it tries nothing from here on: no time passes.
    await master.goAway();
    await expect.poll(() => page.clock.runFor(20).then(() => page.isVisible('#lost'))).toBe(true);
    await master.comeBack();
    await page.evaluate(happens);
    const live = page.locator('body[data-connection=live]');
    await expect.poll(() => page.clock.runFor(20).then(() => live.count())).toBe(1);
    expect(errors).toEqual([]);
  });

  test('to a master that lets the page in no more says where a new link is', async () => {
    const { page, master } = await openStage({ expected: CUT_OFF });
    await master.goAway();
    master.shutOut = true;
    await master.comeBack();
    await page.locator('#lost', { hasText: 'zdsup dashboard shop prints a new one' }).waitFor();
  });

  test('to a master of another version loads its page, once', async () => {
    let version = VERSION;
    let greeted = 0;
    const { page, master } = await openStage({
      expected: CUT_OFF,
      version: () => {
        greeted++;
        return version;
      },
    });
    version = '99.0.0';
    const loaded = page.waitForEvent('load');
    await master.goAway();
    await master.comeBack();
    await loaded;
    await page.locator('body[data-connection=live]').waitFor();
    expect(greeted).toBe(3); // At first, by the old page, and by the new one, which is of the old version here and stays.
  });
});

test('names and messages are text, whatever they look like', async () => {
  const at = Date.now();
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>\u202e';
  const app = fakeApp({ at, ...SERVING, name: evil, generations: [{ ...OLD, release: evil }] });
  app.rollout = fakeCanary(at, 5, { step: 'done', outcome: 'failed', weight: null, reason: evil });
  app.listeners = [{ address: null, path: evil, protocol: 'http' }];
  const { page, master, errors, foreign } = await openStage({ app });
  master.send({ type: 'event', event: fakeEvent(at, 'failed', evil) });
  master.send({ type: 'log', lines: [evil, '\u001b[31mred\u001b[0m'] });
  await page.locator('.line', { hasText: 'onerror' }).waitFor();
  await page.click('#order-reload');
  expect(await page.textContent('#dialog-title')).toContain('<script>');
  expect(await page.locator('img, main script, header script').count()).toBe(0);
  expect(await page.textContent('#app-name')).not.toContain('\u202e');
  expect(await page.locator('.line').last().textContent()).toBe('red');
  expect(await page.title()).toContain('<img');
  expect([errors, foreign]).toEqual([[], []]);
});

test('the traffic of a canary is its weight: on the card of each generation, and in words', async () => {
  const { page } = await openStage({ app: fakeApp(canaryAt(Date.now())) });
  const shares = await page
    .locator('.generation')
    .evaluateAll((cards) =>
      cards.map((card) => [card.querySelector('h3')!.textContent, card.querySelector('.share')!.textContent]),
    );
  expect(shares).toEqual([
    ['Generation 7', '95 %'],
    ['Generation 8', '5 %'],
  ]);
  expect(await page.getAttribute('#split', 'aria-label')).toBe(
    'Traffic, held by weight: generation 7 95 %, generation 8 5 %',
  );
});

test('what matters of the events is spoken, the steps of single workers are not, and neither is what was before', async () => {
  const { page, master } = await openStage();
  const at = Date.now();
  master.send({ type: 'event', event: fakeEvent(at, 'worker-ready', 'worker 0 of generation 8 is ready') });
  master.send({ type: 'event', event: fakeEvent(at, 'failed', 'generation 8 failed: it never listened') });
  await page.locator('.event', { hasText: 'worker 0 of generation 8 is ready' }).waitFor();
  await expect.poll(() => page.textContent('#spoken')).toBe('generation 8 failed: it never listened');
});

test('the log stays at its end, can be read above, searched, and stopped', async () => {
  const { page, master } = await openStage();
  const lines = (from: number): string[] => Array.from({ length: 200 }, (_, index) => `line ${from + index}`);
  const distance = (): Promise<number> => page.evaluate("Math.abs(document.getElementById('log').scrollTop)");
  master.send({ type: 'log', lines: lines(0) });
  await page.locator('.line', { hasText: 'line 199' }).waitFor();
  master.send({ type: 'log', lines: lines(200) });
  await page.locator('.line', { hasText: 'line 399' }).waitFor();
  expect(await distance()).toBe(0);
  await page.fill('#log-filter', 'LINE 39');
  expect(await page.locator('.line:visible').count()).toBe(11);
  await page.click('#log-follow');
  await expect.poll(() => master.heard.at(-1)).toEqual({ type: 'log', follow: false });
});

test("the master's own lines are told as on a terminal, are quieter, and can be left out", async () => {
  const { page, master } = await openStage();
  const at = new Date(2026, 10, 26, 14, 3, 9);
  const own = { level: 'warn', time: at.toISOString(), app: 'shop', name: 'zdsup', msg: 'worker 0 <b>crashed</b>' };
  const pino = { level: 30, time: at.getTime(), pid: 7, hostname: 'web1', msg: 'a tea was sold', cups: 2 };
  master.send({ type: 'log', lines: [JSON.stringify(own), JSON.stringify(pino), 'GET /cart 200'] });
  await page.locator('.line', { hasText: 'GET /cart' }).waitFor();
  expect(await page.locator('.line').allTextContents()).toEqual([
    '[14:03:09] shop: worker 0 <b>crashed</b>',
    '[14:03:09] INFO: a tea was sold {"cups":2}',
    'GET /cart 200',
  ]);
  expect(await barriers(page)).toEqual([]);
  await page.click('#log-app-only');
  expect(await page.locator('.line:visible').count()).toBe(2);
  master.send({ type: 'log', lines: [JSON.stringify(own), 'GET /tea 200'] });
  await page.locator('.line', { hasText: 'GET /tea' }).waitFor();
  expect(await page.locator('.line:visible').count()).toBe(3);
  await page.click('#log-app-only');
  expect(await page.locator('.line:visible').count()).toBe(5);
});

test.for([360, 480, 720, 1_280, 1_680])(
  'no figure touches the edge of its cell, and no row is left half empty: %i px',
  async (width) => {
    const { page } = await openStage({
      width,
      app: fakeApp({ at: Date.now(), generations: [{ ...OLD, workers: 64 }] }),
    });
    const tiles: { row: number; room: number; text: string }[] = await page.evaluate(`
    [...document.querySelectorAll('.tile')].flatMap((tile) => [...tile.children].map((part) => {
      const range = document.createRange();
      range.selectNodeContents(part);
      const { right, top } = tile.getBoundingClientRect();
      return { row: top, room: right - range.getBoundingClientRect().right, text: part.textContent };
    }))`);
    expect(tiles.filter(({ room }) => room < 6)).toEqual([]);
    const rows = [...new Set(tiles.map(({ row }) => row))];
    const lengths = rows.map((top) => tiles.filter(({ row }) => row === top).length);
    expect(new Set(lengths).size, `rows of ${lengths.join(', ')}`).toBe(1);
  },
);

test('where no worker is active, no generation has a share, whatever was measured last', async () => {
  const { page, show } = await openStage();
  await page.locator('.generation .share', { hasText: '100 %' }).waitFor();
  await show(fakeApp({ at: Date.now(), generations: [{ ...OLD, state: 'starting' }] }));
  expect(await page.textContent('#split-by')).toBe('no worker is active: new connections wait');
  expect(await page.textContent('.generation .share')).toBe('');
});

test('words on the charts stand beside one another, and none is cut at an edge', async () => {
  const at = Date.now();
  const { page, master } = await openStage();
  await page.evaluate(`(() => {
    const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
    const drawn = (globalThis.drawn = new Map());
    CanvasRenderingContext2D.prototype.clearRect = function (...box) {
      drawn.set(this.canvas, []);
      return clearRect.apply(this, box);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      const { width } = this.measureText(text);
      const at = this.getTransform().transformPoint({ x, y });
      const left = { left: at.x, center: at.x - width / 2, right: at.x - width }[this.textAlign] ?? at.x;
      drawn.get(this.canvas)?.push({ text, left, right: left + width, y: at.y });
      return fillText.call(this, text, x, y);
    };
  })()`);
  const kinds = ['serving', 'failed', 'crash-looping', 'recovered'] as const;
  for (const [index, kind] of kinds.entries())
    master.send({ type: 'event', event: fakeEvent(at - 9_000 + index * 3_000, kind, kind) });
  await page.click('text=1 min');
  interface Word {
    text: string;
    left: number;
    right: number;
    y: number;
  }
  const wordsOn = (): Promise<{ words: Word[]; width: number }[]> =>
    page.evaluate('[...drawn].map(([canvas, words]) => ({ words, width: canvas.width }))');
  await expect
    .poll(async () => (await wordsOn()).flatMap(({ words }) => words).some(({ text }) => text === 'failed'))
    .toBe(true);
  const charts = await wordsOn();
  const labels = charts.flatMap(({ words }) => words.map(({ text }) => text));
  expect(labels, 'what happened last is named').toContain('recovered');
  expect(charts).toHaveLength(2);
  for (const { words, width } of charts) {
    expect(
      words.filter(({ left, right }) => left < 0 || right > width),
      'cut',
    ).toEqual([]);
    const collisions = words.flatMap((one, index) =>
      words
        .slice(index + 1)
        .filter(({ left, right, y }) => y === one.y && left < one.right + 4 && right > one.left - 4),
    );
    expect(collisions).toEqual([]);
  }
});

test('the charts have their figures in words and as a table, and show what is under the cursor', async () => {
  const { page } = await openStage();
  expect(await page.getAttribute('#throughput', 'aria-label')).toMatch(
    /over the last 5 minutes: [\d,]+ now, [\d,]+ at least/,
  );
  await page.click('summary');
  await expect.poll(() => page.locator('#chart-table tbody tr').count()).toBeGreaterThanOrEqual(5);
  const now = await page.textContent('#throughput-legend');
  await page.hover('#throughput', { position: { x: 300, y: 90 } });
  await expect.poll(() => page.textContent('#throughput-legend')).not.toBe(now);
  const colour = (): Promise<string> =>
    page.evaluate(`(() => {
      const canvas = document.querySelector('#throughput canvas');
      return [...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height - 60, 1, 1).data].join();
    })()`);
  const light = await colour();
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect.poll(colour).not.toBe(light);
});

test('the charts mark what happened, in words, and show the span that is chosen', async () => {
  const { page, show } = await openStage();
  await page.evaluate(`(() => {
    const { prototype } = CanvasRenderingContext2D;
    const { fillText } = prototype;
    globalThis.written = new Set();
    prototype.fillText = function (text, ...where) { written.add(text); return fillText.call(this, text, ...where); };
  })()`);
  const written = (): Promise<string[]> => page.evaluate('[...written]');
  await show(fakeApp({ at: Date.now() + 1_000, ...SERVING }));
  await expect.poll(written).toEqual(expect.arrayContaining(['begins', 'serves']));
  expect(await page.textContent('#span [aria-pressed=true]')).toBe('5 min');
  await page.evaluate('written.clear()');
  await page.click('#span button:has-text("1 min")'); // They were 90 s ago.
  expect(await page.textContent('#span [aria-pressed=true]')).toBe('1 min');
  await expect.poll(() => written().then((texts) => texts.length)).toBeGreaterThan(0);
  expect(await written()).not.toContain('serves');
  await expect.poll(() => page.getAttribute('#throughput', 'aria-label')).toContain('over the last minute: ');
});

test('64 workers, one sample a second: little is computed, nothing is laid out twice, and rows stay the elements that they are', async () => {
  const { page, show } = await openStage();
  const at = Date.now();
  const many = (second: number): AppSnapshot =>
    fakeApp({ at: at + second * 1_000, rps: 9_000, generations: [{ ...OLD, workers: 64 }] });
  await show(many(1));
  expect(await page.locator('#workers tr').count()).toBe(64);
  await page.evaluate("document.querySelector('#workers tr').setAttribute('data-first', '')");
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const metrics = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await session.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const before = await metrics();
  const COUNT = 20;
  for (let second = 2; second < 2 + COUNT; second++) await show(many(second));
  const after = await metrics();
  const each = (name: string): number => (after[name]! - before[name]!) / COUNT;
  const cost = {
    layouts: each('LayoutCount'),
    scriptMs: each('ScriptDuration') * 1_000,
    taskMs: each('TaskDuration') * 1_000,
    layoutMs: each('LayoutDuration') * 1_000,
  };
  console.log('a sample of 64 workers costs', cost);
  expect(await page.locator('#workers tr[data-first]').count()).toBe(1);
  expect(cost.layouts).toBeLessThanOrEqual(3);
  expect(cost.taskMs).toBeLessThan(150);
});
