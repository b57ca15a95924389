export default {
  script: 'server.js',
  instances: 2,
  // A WebSocket may stay this long on a worker that retires. Most have gone by themselves by then, in a chat over minutes, say.
  drainTimeout: '10s',
  // What is left is closed with 1012, evenly over this long before the deadline: clients do not come back all at once.
  closeSpread: '5s',
};
