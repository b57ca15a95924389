/**
 * Runs in the worker. Under plain node a server has its address the moment `listen` returns, and `listening` comes a turn later: the server gets
 * its handle at once here too, and the event is held back until the master has the socket.
 */
import type net = require('node:net');

/** @returns lets the event go, or the server be where it does not listen after all */
export function holdBackListening(server: net.Server): (listens: boolean) => void {
  let holds = true;
  const own = Object.getOwnPropertyDescriptor(server, 'emit');
  const emit = server.emit;
  const holding = function (this: net.Server, name: string, ...args: unknown[]) {
    return (holds && name === 'listening') || (Reflect.apply(emit, this, [name, ...args]) as boolean);
  } as typeof server.emit;
  server.emit = holding;
  return (listens) => {
    if (!holds) return;
    holds = false;
    // Whoever has put another one over it meanwhile keeps it, and this one lets everything through.
    if (server.emit === holding) {
      if (own) server.emit = emit;
      else delete (server as Partial<net.Server>).emit;
    }
    if (listens) server.emit('listening');
  };
}
