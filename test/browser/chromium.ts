/** Debian's Chromium by playwright-core, one page for a test; what the page must never do is written down while it runs. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    // As root it has no sandbox of its own. Nothing but this page is loaded.
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage', '--disable-gpu'],
  });

export interface Watched {
  page: Page;
  /** Errors of the console and of scripts, violations of the policy included. */
  errors: string[];
  /** Requests to any other host than the page's own. */
  foreign: string[];
}

export interface PageOptions {
  width?: number;
  height?: number;
  colorScheme?: 'light' | 'dark';
  /** Errors that belong to the test: a socket that is cut, a page that is refused. */
  expected?: RegExp;
}

export async function openPage(
  browser: Browser,
  url: string,
  { width = 1_440, height = 1_000, colorScheme = 'light', expected }: PageOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, deviceScaleFactor: 1 });
  const page = await context.newPage();
  const errors: string[] = [];
  const foreign: string[] = [];
  const { host } = new URL(url);
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected?.test(message.text())) errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== host) foreign.push(request.url());
  });
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== host) foreign.push(socket.url());
  });
  await page.goto(url);
  return { page, errors, foreign };
}

/** Where a picture for a person's eyes goes. */
export function pictureOf(name: string): string {
  const folder = process.env.PICTURES ?? join(tmpdir(), 'zdsup-pictures');
  return join(folder, `${name}.png`);
}
