/**
 * What the page and the master say to one another on the live socket (docs/dashboard.md): one JSON value a message. Types, and the bounds that both keep.
 */
import type { ControlRequest, ControlResult, Progress, ProgressKind } from './control-protocol.js';
import type { AppSnapshot } from './snapshot.js';

/** Path of the live socket. */
export const LIVE_PATH = '/live';
/** A longer message from the page ends its connection. */
export const MAX_MESSAGE_BYTES = 16 * 1024;
/** Orders under way for one page at a time; more are refused. */
export const MAX_ORDERS = 8;
/** Points of the history: ten minutes, one a second. */
export const HISTORY_POINTS = 600;
export const HISTORY_EVENTS = 200;

/** What a page may order; a control command each. */
export const ORDERS = ['reload', 'canary', 'pause', 'promote', 'abort', 'rollback', 'scale', 'restart'] as const;
export type OrderName = (typeof ORDERS)[number];
export type Order = Extract<ControlRequest, { command: OrderName }>;

/** Rates at one instant: what the charts draw. */
export interface Point {
  /** Ms since 1970. */
  at: number;
  /** Requests a second. */
  rps: number;
  /** 0 to 1. */
  errorRate: number;
  /** In ms; null where nobody was answered. */
  p50Ms: number | null;
  p99Ms: number | null;
  generations: { generation: number; rps: number }[];
}

/** What befell the app, to be marked on the time line. */
export interface LiveEvent {
  /** ISO 8601 instant. */
  at: string;
  kind: ProgressKind;
  message: string;
  generation?: number;
}

export type ServerMessage =
  /** The first one. `version`: of zdsup; a page of another one loads itself anew. */
  | {
      type: 'hello';
      app: AppSnapshot;
      readOnly: boolean;
      version: string;
      /** Oldest first, {@link HISTORY_POINTS} at most. */
      history: Point[];
      /** Oldest first, {@link HISTORY_EVENTS} at most. */
      events: LiveEvent[];
    }
  /** Once a second. */
  | { type: 'sample'; app: AppSnapshot }
  | { type: 'event'; event: LiveEvent }
  /** The last lines of the app's log, then those that come, while `follow`. */
  | { type: 'log'; lines: string[] }
  /** How an order of this page goes; `id` is the page's own. */
  | { type: 'progress'; id: number; progress: Progress }
  | { type: 'result'; id: number; result: ControlResult }
  /** It was not carried out: read-only, too many, or no order at all. */
  | { type: 'refused'; id: number | null; reason: string };

export type PageMessage =
  /** `id`: a whole number that the page chooses. */
  { type: 'order'; id: number; request: Order } | { type: 'log'; follow: boolean };
