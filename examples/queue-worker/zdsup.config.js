export default {
  script: 'worker.js',
  instances: 2,
  ready: 'message',
  // After the signal a worker has this long to finish its job: more than the longest job takes.
  killTimeout: '60s',
  stopTimeout: '90s',
};
