// The app that every runner serves: a plain http server that answers a small body, and says in a header who answered (the
// process and the thread: one runner has its workers in threads). When it listens it adds a line to STARTED.
const { appendFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { threadId } = require('node:worker_threads');

const worker = `${process.pid}.${threadId}`;
const server = createServer((_request, response) => {
  response.setHeader('x-worker', worker);
  response.end('hello, world\n');
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => appendFileSync(process.env.STARTED, `${worker}\n`));
