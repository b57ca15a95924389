// A chat. When its worker is about to leave, it says so to its clients in its own words, and closes them itself: without waiting for
// the drain deadline, and with a code that they know. Under plain node it runs as well, and `zdsup/worker` does nothing.
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { onDrain, release, slot } from 'zdsup/worker';

const port = Number(process.env.PORT ?? 3000);
const server = createServer((_request, response) => response.end(`hello from slot ${slot}, release ${release}\n`));
const chat = new WebSocketServer({ server });

chat.on('connection', (socket) => {
  socket.on('message', (data) => {
    for (const other of chat.clients) other.send(String(data));
  });
});

// New connections go to other workers by now; those that are here have until the drain deadline.
onDrain(async ({ signal }) => {
  for (const socket of chat.clients) {
    socket.send('this worker leaves: come back to the next');
    socket.close(4000, 'come back');
    await pause(10, undefined, { signal }); // Not all of them in the same moment.
  }
});

server.listen(port, () => console.log(`listening on ws://localhost:${port}`));
