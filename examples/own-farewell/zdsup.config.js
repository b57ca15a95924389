import { defineConfig } from 'zdsup';

export default defineConfig({
  script: 'server.js',
  instances: 2,
  // Those that do not answer its farewell, at most so long.
  drainTimeout: '10s',
});
