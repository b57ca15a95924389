import { defineConfig } from 'vitest/config';

/** On a real systemd, by `npm run test:systemd`: not part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/systemd/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
    reporters: ['default', './test/helpers/closing-line.ts'],
  },
});
