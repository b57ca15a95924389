/** Runs in the master. What a page says, judged: an order becomes a control command of which every field is known. Pure. */
import type { ControlRequest } from '../../shared/control-protocol.js';
import { SCALE_TO } from '../../shared/control-protocol.js';
import type { Order, OrderName } from '../../shared/dashboard-protocol.js';
import { ORDERS } from '../../shared/dashboard-protocol.js';

export type Said =
  | { type: 'order'; id: number; request: Order }
  | { type: 'log'; follow: boolean }
  /** `id`: of the order, where it has one. */
  | { type: 'nonsense'; id: number | null; reason: string };

const LONGEST_RELEASE = 128;

export function understood(text: string): Said {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return nonsense(null, 'it is not JSON');
  }
  if (typeof value !== 'object' || value === null) return nonsense(null, 'it is no JSON object');
  const { type, id, follow, request } = value as Record<string, unknown>;
  if (type === 'log')
    return typeof follow === 'boolean' ? { type, follow } : nonsense(null, 'follow is neither true nor false');
  if (type !== 'order') return nonsense(null, 'it is neither an order nor about the log');
  if (!Number.isSafeInteger(id)) return nonsense(null, 'the id of the order is no whole number');
  const order = orderOf(request);
  return typeof order === 'string'
    ? nonsense(id as number, order)
    : { type, id: id as number, request: order as Order };
}

const nonsense = (id: number | null, reason: string): Said => ({ type: 'nonsense', id, reason });

/**
 * Built anew of what it may have: a reload over the control socket can also name a folder to run, and that is nothing for a page.
 * @returns why it is none, in words
 */
function orderOf(request: unknown): ControlRequest | string {
  if (typeof request !== 'object' || request === null) return 'there is no request';
  const given = request as Record<string, unknown>;
  const command = ORDERS.find((name) => name === given.command);
  if (command === undefined) return `allowed are ${ORDERS.join(', ')}`;
  const { weight, to } = given;
  const flags = (...names: string[]): Record<string, true> =>
    Object.fromEntries(names.filter((name) => given[name] === true).map((name) => [name, true]));
  const makers: Record<OrderName, () => ControlRequest | string> = {
    reload: () => {
      const wanted = { command: 'reload' as const, ...flags('allowListeners', 'noWait', 'noCanary') };
      if (weight === undefined) return wanted;
      return isWithin(weight, 1, 99) ? { ...wanted, weight } : 'the weight is no whole number from 1 to 99';
    },
    restart: () => ({ command: 'restart', ...flags('allowListeners', 'noWait') }),
    canary: () =>
      isWithin(weight, 0, 100) ? { command: 'canary', weight } : 'the weight is no whole number from 0 to 100',
    promote: () => ({ command: 'promote', ...flags('full') }),
    pause: () => ({ command: 'pause' }),
    abort: () => ({ command: 'abort' }),
    rollback: () => {
      if (to === undefined) return { command: 'rollback' };
      return typeof to === 'string' && to !== '' && to.length <= LONGEST_RELEASE
        ? { command: 'rollback', to }
        : 'to names no release';
    },
    scale: () =>
      typeof to === 'string' && SCALE_TO.test(to) ? { command: 'scale', to } : 'to is no number of workers',
  };
  return makers[command]();
}

const isWithin = (value: unknown, least: number, most: number): value is number =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
