/** What systemd hands to a service in its environment (sd_notify(3), sd_listen_fds(3)). Pure: the environment is handed in. */
type Env = Readonly<Record<string, string | undefined>>;

/** They are meant for one process, the master: a worker that had them would speak in its name, or take descriptors for sockets that are none. */
export const MANAGER_VARIABLES = [
  'NOTIFY_SOCKET',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_PIDFDID',
  'LISTEN_FDNAMES',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
];

/** The unit has `OpenFile=/run/systemd/notify:<this name>`: a descriptor by which the master speaks to the manager itself. */
export const NOTIFY_FD_NAME = 'zdsup-notify';

/** Exit status of a unit's master that `zdsup stop` has ended: systemd is not to start it again, as it does after any other end. */
export const STOPPED_FOR_GOOD = 100;

/** sd_listen_fds(3). */
const FIRST_FD = 3;

/** More sockets than any service has: a larger number is none that a manager has set. */
const MOST_FDS = 4_096;

/** For children that are not to speak for the master. */
export const withoutManager = (env: Env): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !MANAGER_VARIABLES.includes(name)));

/** Descriptors that were handed to the process `pid`, with their names; none where they were meant for another one. */
export function inheritedDescriptors(env: Env, pid: number): { fd: number; name: string }[] {
  const count = Number(env.LISTEN_FDS);
  if (Number(env.LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1 || count > MOST_FDS) return [];
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  return Array.from({ length: count }, (_, index) => ({ fd: FIRST_FD + index, name: names[index] ?? '' }));
}

/** How often the manager wants to hear of the process `pid`, in ms; null: not at all. */
export function watchdogMs(env: Env, pid: number): number | null {
  const us = Number(env.WATCHDOG_USEC);
  const isMeant = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === pid;
  return isMeant && Number.isFinite(us) && us > 0 ? us / 1_000 : null;
}
