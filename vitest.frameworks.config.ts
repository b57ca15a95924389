import { defineConfig } from 'vitest/config';

/** Frameworks as they come from npm, by `npm run test:frameworks`: not part of `npm test`, since they must be installed. */
export default defineConfig({
  test: {
    include: ['test/frameworks/*.test.ts'],
    globalSetup: 'test/frameworks/prepare.ts',
    testTimeout: 5 * 60_000,
    hookTimeout: 30_000,
    maxWorkers: 1,
    fileParallelism: false,
    reporters: ['default', './test/helpers/closing-line.ts'],
  },
});
