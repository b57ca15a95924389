// A WebSocket server that echoes, beside a plain page on the same port.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const port = Number(process.env.PORT ?? 3000);
const server = createServer((_request, response) => response.end(`hello from process ${process.pid}\n`));

new WebSocketServer({ server }).on('connection', (socket) => {
  socket.send(`connected to process ${process.pid}`);
  socket.on('message', (data) => socket.send(`echo: ${data}`));
});

server.listen(port, () => console.log(`listening on ws://localhost:${port}`));
