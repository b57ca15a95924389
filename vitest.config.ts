import { defineConfig } from 'vitest/config';
import LongestFirst from './test/helpers/longest-first.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/soak/**', 'test/frameworks/**', 'test/systemd/**', 'test/browser/**'],
    testTimeout: 60_000,
    hookTimeout: 30_000,
    // Of two cores: integration tests wait half of their time. More at once would measure the scheduler.
    maxWorkers: 3,
    // Of a file, those tests that wait more than they compute: they say `concurrent`.
    maxConcurrency: 3,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/helpers/closing-line.ts'],
  },
});
