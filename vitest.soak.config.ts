import { defineConfig } from 'vitest/config';

/** Long runs, by `npm run test:soak`: not part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts'],
    testTimeout: 45 * 60_000,
    maxWorkers: 1,
    reporters: ['default', './test/helpers/closing-line.ts'],
  },
});
