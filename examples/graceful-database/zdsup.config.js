export default {
  script: 'server.js',
  instances: 2,
  drainTimeout: '30s', // For requests in flight.
  killTimeout: '10s', // For the SIGTERM handler after them: more than the transactions that wait can take.
};
