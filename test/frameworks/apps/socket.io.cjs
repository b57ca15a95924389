const { createServer } = require('node:http');
const { Server } = require('socket.io');

const server = createServer();
const io = new Server(server);

io.on('connection', (socket) => {
  socket.on('echo', (text, acknowledge) => acknowledge(`${text} from ${process.env.ZDSUP_GENERATION}`));
});

server.listen(process.env.PORT);
