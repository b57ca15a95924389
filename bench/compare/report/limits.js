// What zdsup is held to, as ratios within one run. Pure.

const over = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a / b : null);

/** `of` is given the figures of each runner by its id, and gives null where a runner was left out. */
const limits = [
  {
    what: 'CPU of a request on a new connection, zdsup / PM2',
    limit: 0.4,
    of: (f) => over(f.zdsup?.perRequestCpu, f.pm2?.perRequestCpu),
  },
  {
    what: 'CPU of a request on a new connection, zdsup / node:cluster round-robin',
    limit: 0.55,
    of: (f) => over(f.zdsup?.perRequestCpu, f['cluster-rr']?.perRequestCpu),
  },
  {
    what: 'CPU of a request on a new connection, zdsup / plain node',
    limit: 1.25,
    of: (f) => over(f.zdsup?.perRequestCpu, f.node?.perRequestCpu),
  },
  {
    what: 'CPU of a keep-alive request, zdsup with 1 worker / plain node',
    limit: 1.05,
    of: (f) => over(f['zdsup-1']?.keepAliveCpu, f.node?.keepAliveCpu),
  },
  { what: 'p99 of zdsup, during a reload / steady', limit: 2, of: (f) => over(f.zdsup?.reloadP99, f.zdsup?.steadyP99) },
  { what: 'evenness of zdsup, busiest worker / mean', limit: 1.2, of: (f) => f.zdsup?.evenness ?? null },
  { what: 'requests lost by zdsup', limit: 0, of: (f) => f.zdsup?.lost ?? null },
  { what: 'keep-alive connections closed by zdsup', limit: 0, of: (f) => f.zdsup?.closed ?? null },
];

/** Each limit with its value, and whether it is held: null where it was not measured. */
export function checkLimits(figures) {
  return limits.map(({ what, limit, of }) => {
    const value = of(figures);
    return { what, limit, value, within: value === null ? null : value <= limit };
  });
}

/** The last words of the command. */
export function verdict(checked) {
  const exceeded = checked.filter(({ within }) => within === false);
  if (exceeded.length > 0) return `NOT WITHIN THE LIMITS: ${exceeded.map(({ what }) => what).join('; ')}`;
  const open = checked.filter(({ within }) => within === null).length;
  return open === 0 ? 'within all limits' : `within all limits that were measured (${open} were not)`;
}
