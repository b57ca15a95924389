// Hello world over keep-alive. Says when its code began and when it listened, in ms since the process started.
const beganMs = performance.now();
const server = require('node:http').createServer((_request, response) => response.end('hello'));
server.listen(process.env.PORT, () => {
  process.stdout.write(`${JSON.stringify({ pid: process.pid, beganMs, listeningMs: performance.now() })}\n`);
});
