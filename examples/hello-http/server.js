// An ordinary HTTP server: no line of it knows about zdsup.
//   zdsup start examples/hello-http/server.js -i 2
import { createServer } from 'node:http';

const port = Number(process.env.PORT ?? 3000);

createServer((_request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(`hello from process ${process.pid}\n`);
}).listen(port, () => console.log(`listening on http://localhost:${port}`));
