/**
 * Runs in the master. Its own HTTP as main.ts knows it: nothing of it is loaded before a config wants it. A reload brings another one in once it has
 * succeeded; who looks at the terminal is shown the link once.
 */
import type { HttpConfig } from '../shared/config.js';
import { isLoopback } from '../shared/http-address.js';
import type { Effects } from './effects.js';
import type { PageLink, Web } from './web/open.js';

export interface WebDoorOptions {
  load(): Promise<Web>;
  effects: Pick<Effects, 'observers' | 'plans'>;
  warn(message: string): void;
  /** A terminal, and no log. */
  show: ((text: string) => void) | null;
}

export class WebDoor {
  private web: Promise<Web> | null = null;
  private opened: Web | null = null;
  private shown = false;
  private following: Promise<void> = Promise.resolve();

  constructor(private readonly options: WebDoorOptions) {
    const { effects } = options;
    effects.observers.add({
      rolloutEnded: ({ rollout: { outcome, to } }) => {
        const plan = outcome === 'succeeded' && to !== null ? effects.plans.get(to) : undefined;
        if (plan) this.following = this.follow(plan.config.http);
      },
    });
  }

  /** Before anything is started. @throws ZdsupError ZDSUP_HTTP_LISTEN, ZDSUP_STATE_* */
  async start(http: HttpConfig | null): Promise<void> {
    if (http !== null) await (await this.room()).configure(http);
  }

  link(): PageLink | null {
    return this.opened?.link() ?? null;
  }

  /** Once it is as the last rollout wants it, or it has been warned of. Never rejects. */
  settled(): Promise<void> {
    return this.following;
  }

  /** Of an address that an app cannot have: is this why? */
  holds({ address, port }: { address: string | null; port: number | null }): boolean {
    const http = this.opened?.place() ?? null;
    if (http === null) return false;
    if (http.port === null) return address === http.socket;
    if (port !== http.port) return false;
    const isEverywhere = [address, http.host].some((one) => one === null || ['', '::', '0.0.0.0'].includes(one));
    return isEverywhere || address === http.host || (isLoopback(address ?? '') && isLoopback(http.host));
  }

  async close(): Promise<void> {
    await this.opened?.close();
  }

  /** Never rejects. */
  private async follow(http: HttpConfig | null): Promise<void> {
    if (http === null && this.opened === null) return;
    try {
      await (await this.room()).reconfigure(http);
    } catch (error) {
      this.options.warn(`the HTTP of the master cannot be loaded: ${(error as Error).message.split('\n')[0]}`);
    }
    const link = this.link();
    if (link?.url == null || this.shown) return;
    this.shown = true;
    this.options.show?.(`dashboard: ${link.url}\n`);
  }

  private async room(): Promise<Web> {
    this.web ??= this.options.load();
    this.opened = await this.web;
    return this.opened;
  }
}
