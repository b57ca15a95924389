// A .ts entry, without a build. Node 22.18 and newer strip the types by themselves; on Node 20 zdsup runs it by the tsx of the project.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';

interface Greeting {
  hello: string;
  pid: number;
}

const port: number = Number(process.env.PORT ?? 3000);

function answer(request: IncomingMessage, response: ServerResponse): void {
  const greeting: Greeting = { hello: request.url ?? '/', pid: process.pid };
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify(greeting)}\n`);
}

createServer(answer).listen(port, () => console.log(`listening on http://localhost:${port}`));
