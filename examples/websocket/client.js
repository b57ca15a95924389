// Says something every second, and comes back when the server closes. A reload closes with 1012, "service restart": there is a new
// worker already, so it need not wait long. What it has sent without an answer, it sends again.
import { WebSocket } from 'ws';

const url = process.argv[2] ?? 'ws://localhost:3000';
let count = 0;
let unanswered = null;

function open() {
  const socket = new WebSocket(url);
  const say = () => {
    unanswered ??= `message ${++count}`;
    if (socket.readyState === WebSocket.OPEN) socket.send(unanswered);
  };
  const timer = setInterval(say, 1_000);
  socket.on('message', (data) => {
    console.log(String(data));
    if (String(data) === `echo: ${unanswered}`) unanswered = null;
  });
  socket.on('error', (error) => console.log(`error: ${error.message}`));
  socket.on('close', (code) => {
    clearInterval(timer);
    console.log(`closed with ${code}`);
    // Spread a little, so that not all clients of a worker come back in the same instant.
    setTimeout(open, (code === 1012 ? 200 : 2_000) * (0.5 + Math.random()));
  });
}

open();
