/** Runs in the page. All that it knows; messages change it, views read it. Touches no element. */
import type { ControlResult } from '../shared/control-protocol.js';
import type { LiveEvent, Order, ServerMessage } from '../shared/dashboard-protocol.js';
import { HISTORY_EVENTS } from '../shared/dashboard-protocol.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import { LogTail } from './pure/log-tail.js';
import { PointHistory, pointOf } from './pure/series.js';
import { Sparks } from './pure/sparks.js';

export type Link =
  | { state: 'connecting' }
  | { state: 'live' }
  /** `tries`: so many have failed since. */
  | { state: 'lost'; nextTryAt: number | null; tries: number; shutOut: boolean };

export interface GivenOrder {
  id: number;
  command: string;
  order: Order;
  state: 'under-way' | 'done' | 'failed' | 'unknown';
  text: string;
  hint: string | null;
  /** The worker that failed it had written these last. */
  output: string[];
}

/** Earlier ones are forgotten. */
const KEPT_ORDERS = 3;
/** Lines of a worker that has failed, the last ones. */
const MOST_OUTPUT = 20;

export class Model {
  app: AppSnapshot | null = null;
  readOnly = false;
  link: Link = { state: 'connecting' };
  readonly history = new PointHistory();
  readonly sparks = new Sparks();
  events: LiveEvent[] = [];
  /** How many events have come, all in all: who has shown so many knows what is new. */
  eventCount = 0;
  readonly log = new LogTail();
  orders: GivenOrder[] = [];
  /** The generation that was held as a canary last. */
  held: number | null = null;
  private nextOrder = 1;
  private clockAheadMs = 0;

  take(message: ServerMessage): void {
    switch (message.type) {
      case 'hello':
        this.link = { state: 'live' };
        this.learn(message.app);
        this.held = null; // Of another master, another generation has that number.
        for (const event of message.events) this.noteHeld(event);
        this.readOnly = message.readOnly;
        this.history.replace(message.history);
        this.events = message.events;
        this.eventCount += message.events.length;
        this.log.restart();
        this.sample(message.app);
        return;
      case 'sample':
        this.sample(message.app);
        return;
      case 'event':
        this.events = [...this.events, message.event].slice(-HISTORY_EVENTS);
        this.eventCount++;
        this.noteHeld(message.event);
        return;
      case 'log':
        this.log.append(message.lines);
        return;
      case 'progress':
        this.change(message.id, { text: message.progress.message });
        return;
      case 'result':
        this.change(message.id, outcomeOf(message.result));
        return;
      case 'refused':
        if (message.id !== null) this.change(message.id, { state: 'failed', text: `refused: ${message.reason}` });
        return;
      default:
        message satisfies never;
    }
  }

  /** By the master's clock, which need not be that of this host. */
  get now(): number {
    return Date.now() + this.clockAheadMs;
  }

  lost(nextTryAt: number | null, tries = 0): void {
    const shutOut = this.link.state === 'lost' && this.link.shutOut;
    this.link = { state: 'lost', nextTryAt, tries, shutOut };
    for (const { id, state } of this.orders)
      if (state === 'under-way')
        this.change(id, { state: 'unknown', text: 'the connection was lost before its answer', hint: null });
  }

  /** Where to look for what came of an order whose answer was lost: a master knows the rollouts since its own beginning alone. */
  private learn({ name, masterPid, startedAt }: AppSnapshot): void {
    const before = this.app;
    if (before === null) return;
    const isSame = before.masterPid === masterPid && before.startedAt === startedAt;
    for (const { id, state, hint } of this.orders)
      if (state === 'unknown' && hint === null)
        this.change(
          id,
          isSame
            ? { hint: 'the rollout shows what came of it' }
            : { text: 'its master ended before its answer', hint: `zdsup history ${name} says what came of it` },
        );
  }

  private noteHeld({ kind, generation }: LiveEvent): void {
    if (kind === 'held' && generation !== undefined) this.held = generation;
  }

  shutOut(): void {
    if (this.link.state === 'lost') this.link = { ...this.link, shutOut: true };
  }

  give(order: Order, command: string): GivenOrder {
    const given: GivenOrder = {
      id: this.nextOrder++,
      command,
      order,
      state: 'under-way',
      text: 'sent',
      hint: null,
      output: [],
    };
    this.orders = [...this.orders, given].slice(-KEPT_ORDERS);
    return given;
  }

  dismiss(id: number): void {
    this.orders = this.orders.filter((order) => order.id !== id);
  }

  private change(id: number, what: Partial<GivenOrder>): void {
    this.orders = this.orders.map((order) => (order.id === id ? { ...order, ...what } : order));
  }

  private sample(app: AppSnapshot): void {
    this.app = app;
    if (app.rollout?.step === 'canary') this.held = app.rollout.to;
    const point = pointOf(app);
    if (point) {
      this.history.append(point);
      this.clockAheadMs = point.at - Date.now();
    }
    this.sparks.take(app.workers);
  }
}

function outcomeOf(result: ControlResult): Partial<GivenOrder> {
  if (!result.ok) {
    const { error, stderr = [] } = result;
    return { state: 'failed', text: error.message, hint: error.hint ?? null, output: stderr.slice(-MOST_OUTPUT) };
  }
  return { state: 'done', text: 'message' in result ? result.message : 'done' };
}
