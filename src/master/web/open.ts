/**
 * Runs in the master. Its own HTTP, from the config's word to the open port: the one room that main.ts knows of it, loaded where `http` is configured. Owns the
 * port, the token in force and what pages are shown of before; a reload may change all of it, and one that cannot be had leaves what there is.
 */
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import type { HttpConfig } from '../../shared/config.js';
import type { ControlRequest, ControlResult, Progress } from '../../shared/control-protocol.js';
import { toReport } from '../../shared/errors.js';
import { inUrl, isLoopback } from '../../shared/http-address.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import type { Effects } from '../effects.js';
import type { Feed } from '../feed.js';
import { weakPlace } from '../planning/root-only.js';
import type { Supervisor } from '../supervisor.js';
import { Answers } from './answers.js';
import { Auth } from './auth.js';
import { coalesced } from './coalesced.js';
import { healthOf } from './health.js';
import type { Handlers, Listening } from './listening.js';
import { labelOf, listenForHttp } from './listening.js';
import type { Live } from './live.js';
import type { Scrape, WebCounts } from './metrics.js';
import { Timeline } from './timeline.js';
import { tokenIn } from './token.js';

export interface WebOptions {
  appName: string;
  supervisor: Pick<Supervisor, 'state'>;
  effects: Pick<Effects, 'plans' | 'observers' | 'figures'>;
  snapshot(): Promise<AppSnapshot>;
  feed(): Promise<Pick<Feed, 'subscribe'>>;
  /** Of the random token. */
  tokenPath: string;
  carryOut(request: ControlRequest, tell: (progress: Progress) => void): Promise<ControlResult>;
  say(message: string): void;
  warn(message: string): void;
}

/** Where the page is. */
export interface PageLink {
  /** With the token; null: of a unix socket there is none. */
  url: string | null;
  /** The unix socket. */
  socket: string | null;
  /** What to open behind the proxy that stands before the socket. */
  path: string;
}

/** What holds since the last change. */
interface Held {
  http: HttpConfig;
  token: string;
  auth: Auth;
  listening: Listening;
}

export class Web {
  private held: Held | null = null;
  private last: Promise<void> = Promise.resolve();
  /** Of pages: loaded with the first one. */
  private loading: Promise<Live> | null = null;
  private room: Live | null = null;
  private letGo: (() => void)[] = [];
  private readonly timeline = new Timeline();
  private readonly counts: WebCounts = {
    rollouts: { succeeded: 0, failed: 0, aborted: 0 },
    recycled: 0,
    clients: 0,
    refused: { host: 0, origin: 0, token: 0, rate: 0, slow: 0, full: 0 },
  };
  private readonly snapshot: () => Promise<AppSnapshot>;
  private readonly handlers: Handlers;

  constructor(private readonly options: WebOptions) {
    const { appName, supervisor } = options;
    this.snapshot = coalesced(options.snapshot);
    this.handlers = new Answers({
      appName,
      gate: () => ({ auth: this.held!.auth, hosts: this.held!.http.hosts }),
      isLocal: () => isLocal(this.held!.http),
      counts: this.counts,
      health: () => healthOf(supervisor.state),
      snapshot: this.snapshot,
      scrape: () => this.scrape(),
      live: () => this.live(),
    });
    options.effects.observers.add({
      rolloutEnded: ({ rollout: { outcome, aborted } }) => {
        if (outcome !== null) this.counts.rollouts[aborted ? 'aborted' : outcome] += 1;
      },
      recycleEnded: ({ reason }) => {
        if (reason === null) this.counts.recycled += 1;
      },
    });
  }

  /**
   * Opens what the config wants, and closes what it does not want any more. One after the other, whoever calls.
   * @throws ZdsupError ZDSUP_HTTP_LISTEN, ZDSUP_STATE_*; what there was goes on
   */
  configure(http: HttpConfig | null): Promise<void> {
    const changed = this.last.then(() => this.change(http));
    this.last = changed.catch(() => {});
    return changed;
  }

  /** As {@link configure}, at a reload: what cannot be had is a warning. */
  reconfigure(http: HttpConfig | null): Promise<void> {
    return this.configure(http).catch((error: unknown) => {
      const kept = this.held ? `; it goes on at ${this.held.listening.label}` : '';
      this.options.warn(`${toReport(error).message}${kept}`);
    });
  }

  /** Null while it is off. */
  link(): PageLink | null {
    if (this.held === null) return null;
    const { http, token } = this.held;
    const path = `/?token=${token}`;
    if (http.socket !== null) return { url: null, socket: http.socket, path };
    return { url: `http://${inUrl(reachable(http.host))}:${http.port}${path}`, socket: null, path };
  }

  place(): HttpConfig | null {
    return this.held?.http ?? null;
  }

  async close(): Promise<void> {
    await this.configure(null);
  }

  private async change(http: HttpConfig | null): Promise<void> {
    const before = this.held;
    if (http === null) {
      if (before === null) return;
      this.held = null;
      before.listening.close();
      this.rest();
      return;
    }
    const { appName, tokenPath, say } = this.options;
    const isSamePlace = before !== null && isSame(before.http, http);
    const listening = isSamePlace ? before.listening : await this.move(before, http);
    // In this very turn: nobody is let in before it is known who may. A start whose port is taken leaves no token behind.
    let token: string;
    try {
      token = http.token ?? tokenIn(tokenPath);
    } catch (error) {
      if (!isSamePlace) {
        listening.close();
        this.held = null;
        this.rest();
      }
      throw error;
    }
    const auth = new Auth(token, `zdsup_${appName}${http.port === null ? '' : `_${http.port}`}`);
    this.held = { http, token, auth, listening };
    const isAsBefore = isSamePlace && before.token === token && before.http.readOnly === http.readOnly;
    if (!isAsBefore) this.room?.closeAll(); // Pages come back, if they may, and are told what holds now.
    if (!isSamePlace) {
      say(`metrics, health and the dashboard are at ${listening.label}`); // Never the token.
      if (http.socket !== null && process.geteuid?.() === 0) this.warnOfWeak(http.socket);
    }
    if (this.letGo.length === 0) await this.wake();
  }

  /** Of root's. With workers of another user the plan has been refused; those that are root's as well have nothing to gain, but others of this host have. */
  private warnOfWeak(socket: string): void {
    const folder = dirname(socket);
    const weak = weakPlace(folder, undefined, 'folder-of-new-files');
    if (weak !== null)
      this.options.warn(
        `the folder ${folder} of http.socket is not root's alone: ${weak.path === folder ? 'it' : weak.path} ${weak.why}; whoever listens there in the master's place is shown its token`,
      );
  }

  /** The old place is given up once the new one is there; where they are in one another's way, before, and taken again where that fails. */
  private async move(before: Held | null, http: HttpConfig): Promise<Listening> {
    const isInTheWay = before !== null && before.http.port !== null && before.http.port === http.port;
    if (isInTheWay) before.listening.close();
    try {
      const listening = await listenForHttp(http, this.handlers);
      if (!isInTheWay) before?.listening.close();
      return listening;
    } catch (error) {
      if (isInTheWay) await this.takeAgain(before);
      throw error;
    }
  }

  /** Somebody may have taken it meanwhile: then there is none, until a reload. */
  private async takeAgain(before: Held): Promise<void> {
    try {
      this.held = { ...before, listening: await listenForHttp(before.http, this.handlers) };
    } catch {
      this.held = null;
      this.rest();
    }
  }

  /** Figures are on, and what happens is noted for pages to come. */
  private async wake(): Promise<void> {
    const { effects, feed, warn } = this.options;
    try {
      this.letGo.push(await effects.figures.hold());
    } catch (error) {
      warn(`figures cannot be had: ${(error as Error).message.split('\n')[0]}`);
    }
    const { timeline } = this;
    const stop = (await feed()).subscribe((message) => {
      if (this.room) this.room.tell(message);
      else if (message.type === 'sample') timeline.sample(message.app);
      else timeline.event(message.event);
    });
    this.letGo.push(stop);
  }

  private rest(): void {
    for (const end of this.letGo.splice(0)) end();
    this.room?.closeAll();
  }

  private live(): Promise<Live> {
    this.loading ??= this.loadLive().catch((error: unknown) => {
      this.loading = null; // The next page tries again.
      throw error;
    });
    return this.loading;
  }

  private async loadLive(): Promise<Live> {
    const { Live } = await import('./live.js');
    const { carryOut } = this.options;
    let files: string[] = [];
    const snapshot = async (): Promise<AppSnapshot> => {
      const app = await this.snapshot();
      files = app.log?.files ?? [];
      return app;
    };
    this.room = new Live({
      ...{ snapshot, timeline: this.timeline, counts: this.counts, carryOut },
      readOnly: () => this.held?.http.readOnly ?? true,
      logFile: () => files[0],
    });
    return this.room;
  }

  private async scrape(): Promise<Scrape> {
    const app = await this.snapshot();
    const { effects, supervisor } = this.options;
    const releases = new Map<number, string>();
    for (const { generation, release } of app.figures?.generations ?? []) releases.set(generation, release);
    for (const { generation } of app.workers) {
      const plan = effects.plans.get(generation);
      if (plan) releases.set(generation, plan.release.id);
    }
    return { app, health: healthOf(supervisor.state), releases, counts: this.counts };
  }
}

const isSame = (one: HttpConfig, other: HttpConfig): boolean => labelOf(one) === labelOf(other);

const isLocal = ({ socket, host }: HttpConfig): boolean => socket !== null || isLoopback(host);

/** Of one that listens everywhere, an address that others can reach. */
function reachable(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}
