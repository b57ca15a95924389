import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/soak/**', 'test/frameworks/**'],
    testTimeout: 60_000,
    hookTimeout: 30_000,
    // Integration tests load both cores by themselves; more at once would measure the scheduler.
    maxWorkers: 2,
    reporters: ['default', './test/helpers/closing-line.ts'],
  },
});
