import { createServer } from 'node:http';
import { checkout } from './routes/chekout.js'; // There is no such file: this release cannot start.

const port = Number(process.env.PORT ?? 3000);

createServer((_request, response) => response.end(`release 2 ${checkout}\n`)).listen(port);
