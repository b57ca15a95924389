/** What a page may say: orders of which every field is known, and nothing else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { understood } from '../../../src/master/web/orders.js';
import { ORDERS } from '../../../src/shared/dashboard-protocol.js';

const order = (request: unknown) => understood(JSON.stringify({ type: 'order', id: 7, request }));

describe('an order', () => {
  test.for([
    [{ command: 'reload' }],
    [{ command: 'reload', weight: 5, allowListeners: true, noWait: true, noCanary: true }],
    [{ command: 'restart', allowListeners: true }],
    [{ command: 'canary', weight: 0 }],
    [{ command: 'canary', weight: 100 }],
    [{ command: 'promote', full: true }],
    [{ command: 'pause' }],
    [{ command: 'abort' }],
    [{ command: 'rollback' }],
    [{ command: 'rollback', to: '3f2a' }],
    [{ command: 'scale', to: '+2' }],
  ])('is taken as it is: %j', ([request]) => {
    expect(order(request)).toEqual({ type: 'order', id: 7, request });
  });

  test('of a reload cannot name what is run', () => {
    expect(order({ command: 'reload', release: { id: 'x', path: '/tmp/evil', from: '/srv/shop' } })).toEqual({
      ...{ type: 'order', id: 7, request: { command: 'reload' } },
    });
  });

  test('has no field beside its own, and flags that are not true are none', () => {
    const given = { command: 'promote', full: 'yes', __proto__: { to: 'x' }, to: 'x', weight: 3, constructor: 1 };
    expect(order(given)).toEqual({ type: 'order', id: 7, request: { command: 'promote' } });
  });

  test.for([
    [{ command: 'stop' }],
    [{ command: 'signal', signal: 'SIGKILL' }],
    [{ command: 'dashboard' }],
    [{ command: 'describe' }],
    [{ command: 'watch' }],
    [{ command: 'toString' }],
    [{ command: ['reload'] }],
    [{ command: 'reload', weight: 0 }],
    [{ command: 'reload', weight: '5' }],
    [{ command: 'canary' }],
    [{ command: 'canary', weight: 100.5 }],
    [{ command: 'canary', weight: 101 }],
    [{ command: 'scale' }],
    [{ command: 'scale', to: 4 }],
    [{ command: 'scale', to: '4; rm' }],
    [{ command: 'scale', to: '1e9' }],
    [{ command: 'rollback', to: '' }],
    [{ command: 'rollback', to: {} }],
    [{ command: 'rollback', to: 'x'.repeat(129) }],
    [null],
    ['reload'],
    [undefined],
  ])('is none: %j', ([request]) => {
    expect(order(request)).toMatchObject({ type: 'nonsense', id: 7 });
  });
});

test.for(['', 'null', '[]', '7', '{', '{"type":"order"}', '{"type":"order","id":1.5,"request":{"command":"abort"}}'])(
  'what is no message is nonsense: %s',
  (text) => {
    expect(understood(text)).toMatchObject({ type: 'nonsense', id: null });
  },
);

test('the log is followed or not', () => {
  expect(understood('{"type":"log","follow":true,"file":"/etc/shadow"}')).toEqual({ type: 'log', follow: true });
  expect(understood('{"type":"log","follow":1}')).toMatchObject({ type: 'nonsense' });
});

test('whatever is said, it is understood as one of these, or as nonsense', () => {
  const request = fc.record(
    { command: fc.constantFrom(...ORDERS, 'stop'), weight: fc.anything(), to: fc.anything(), full: fc.anything() },
    { requiredKeys: [] },
  );
  const message = fc.oneof(
    fc.record({ type: fc.constantFrom('order', 'log'), id: fc.anything(), request, follow: fc.anything() }),
    fc.anything(),
  );
  fc.assert(
    fc.property(message, (given) => {
      const said = understood(JSON.stringify(given) ?? '');
      if (said.type !== 'order') return;
      expect(ORDERS).toContain(said.request.command);
      const known = ['command', 'weight', 'to', 'full', 'allowListeners', 'noWait', 'noCanary'];
      expect(Object.keys(said.request).filter((key) => !known.includes(key))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
