export default {
  script: 'server.js',
  instances: 2,
  ready: { path: '/healthz' },
  env: { NODE_ENV: 'production' },
};
