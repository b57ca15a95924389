/** What a refused scale is told as: the core gives a kind, the command its code, exit status and words. */
import { describe, expect, test } from 'vitest';
import { emptyFleet } from '../../../src/domain/fleet.js';
import type { Fleet, ScaleRefusal } from '../../../src/domain/types.js';
import type { CommandContext } from '../../../src/master/commands/context.js';
import { scale } from '../../../src/master/commands/scale.js';
import type { ControlResult } from '../../../src/shared/control-protocol.js';
import { ZdsupError } from '../../../src/shared/errors.js';

/** `shop` with two workers, whose core answers as given. */
function answeredWith(ignored: ScaleRefusal | 'the master is ending'): Promise<ControlResult | ZdsupError> {
  const state = { ...emptyFleet(), serving: 1, generations: { 1: { number: 1, slots: [0, 1] } } } as unknown as Fleet;
  const context = {
    appName: 'shop',
    supervisor: { state, request: async () => ignored },
    effects: { checkRelease: async () => {}, observers: new Set() },
    ended: new Promise(() => {}),
  } as unknown as CommandContext;
  return scale(context, '4', () => {}).catch((error: unknown) => {
    if (error instanceof ZdsupError) return error;
    throw error;
  });
}

describe('a scale that the core refuses', () => {
  test.each([
    ['stopping', 'ZDSUP_STOPPING', 4, 'shop is stopping'],
    ['nothing-serves', 'ZDSUP_ROLLOUT_UNDER_WAY', 4, 'under way'],
    ['scale-under-way', 'ZDSUP_ROLLOUT_UNDER_WAY', 4, 'under way'],
    ['rollout-under-way', 'ZDSUP_ROLLOUT_UNDER_WAY', 4, 'under way'],
    ['too-few-up', 'ZDSUP_SCALE_REFUSED', 1, 'one of the workers that would stay is not up'],
    ['release-modified', 'ZDSUP_RELEASE_CHANGED', 1, 'the folder of shop was edited in place'],
    ['the master is ending', 'ZDSUP_STOPPING', 1, 'the scale of shop was given up: the app was ended at once'],
  ] as const)('as %s is told as %s, with exit %i', async (kind, code, exitStatus, words) => {
    const refusal = await answeredWith(kind);
    expect(refusal).toMatchObject({ code, exitStatus });
    expect((refusal as ZdsupError).message).toContain(words);
  });
});

test('a scale to the number that there is has nothing to do, and is done', async () => {
  expect(await answeredWith('same-count')).toMatchObject({ ok: true, exitStatus: 0, message: '4 workers already' });
});
