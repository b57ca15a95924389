// Hello-world requests on kept connections, as fast as they are answered: what a request costs the process that answers.
import { once } from 'node:events';
import { connect } from 'node:net';

const REQUEST = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';

/** Settles when so many were answered, and a few more, and all connections are closed. */
export async function load(port, requests, connections) {
  let left = requests;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay();
      await once(socket, 'connect');
      socket.on('data', () => (left-- > 0 ? socket.write(REQUEST) : socket.end()));
      socket.write(REQUEST);
      await once(socket, 'close');
    }),
  );
}
