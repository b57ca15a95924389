// Takes an order, answers at once, and writes it afterwards. zdsup waits for requests; it cannot know of work that goes on behind an
// answer. That is what the app's own SIGTERM handler is for: it runs after the worker's last request, and before the process ends.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Pool } from './database.js';

const port = Number(process.env.PORT ?? 3000);
const writeMs = Number(process.env.WRITE_MS ?? 200);
const pool = new Pool(process.env.DATABASE ?? 'orders.log');

createServer((request, response) => {
  if (request.method !== 'POST') return void response.end('POST an order\n');
  const order = randomUUID();
  pool.transaction(order, writeMs).catch((error) => console.error(error));
  response.end(`accepted ${order}\n`);
}).listen(port, () => console.log(`listening on http://localhost:${port}`));

// No server.close(): by now zdsup has stopped accepting, and every request has its answer.
process.once('SIGTERM', async () => {
  await pool.end();
  console.log('pool ended');
  process.exit(0);
});
