/** Runs in the worker. Who listens to a channel of node:diagnostics_channel; Node tells only whether anybody does. */
import diagnostics = require('node:diagnostics_channel');

const own = new Map<string, number>();

type Channel = ReturnType<typeof diagnostics.channel> & { _subscribers?: unknown[] };

/** As `subscribe` of node:diagnostics_channel; it is not counted as somebody else's. */
export function subscribe(name: string, onMessage: (message: unknown) => void): void {
  own.set(name, (own.get(name) ?? 0) + 1);
  diagnostics.subscribe(name, onMessage);
}

export function unsubscribe(name: string, onMessage: (message: unknown) => void): void {
  if (diagnostics.unsubscribe(name, onMessage)) own.set(name, own.get(name)! - 1);
}

/** Somebody else than zdsup listens to it, or may: where Node keeps its list otherwise than expected, that cannot be told. */
export function foreignSubscribers(name: string): boolean {
  const channel = diagnostics.channel(name) as Channel;
  return channel.hasSubscribers && channel._subscribers?.length !== own.get(name);
}
