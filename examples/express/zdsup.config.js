module.exports = {
  script: 'server.js',
  instances: 2,
  ready: { path: '/healthz', period: '200ms' },
  env: { NODE_ENV: 'production' },
};
