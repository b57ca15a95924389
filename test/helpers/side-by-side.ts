/** Tests that run side by side: whatever one of them calls, and after whichever wait, knows whose it is. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { TestContext } from 'vitest';
import { aroundEach } from 'vitest';

const underWay = new AsyncLocalStorage<TestContext>();

// Vitest loads a module anew for each file: this is said to each file that uses it.
aroundEach((runTest, context) => underWay.run(context, runTest));

/** Vitest's own function knows only the test that began last, and would end what another one still uses. */
export function onTestFinished(done: () => void | Promise<void>): void {
  const context = underWay.getStore();
  if (context === undefined) throw new Error('no test is under way here');
  context.onTestFinished(done);
}
