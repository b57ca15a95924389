/** Runs in the master. A TCP connection to itself, whose far end is handed to one very worker: by that it is asked alone. */
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/** @throws where there is none to be had; nothing of it stays then */
export async function loopbackPair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true });
  let near: Socket | undefined;
  try {
    return await new Promise((resolve, reject) => {
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number };
        const own = connect(port, '127.0.0.1');
        near = own;
        own.on('error', reject);
        server.on('connection', (far) => {
          // Anybody on this host may connect to a port for a moment: only our own end counts.
          if (far.remotePort === own.localPort) resolve({ near: own, far });
          else far.destroy();
        });
      });
    });
  } catch (error) {
    near?.destroy();
    throw error;
  } finally {
    server.close();
  }
}
