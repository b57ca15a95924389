/** Keys of PM2's ecosystem file that zdsup's config does not have, and what stands in their place (data alone). */

const NONE = 'zdsup has none yet';
const ALWAYS = 'leave it out';

const COUNTERPARTS: Record<string, string> = {
  exec_mode: `${ALWAYS}: workers always share the socket`,
  node_args: 'nodeArgs',
  node_arguments: 'nodeArgs',
  interpreter_args: 'nodeArgs',
  interpreter: `${ALWAYS}: workers run on the Node that runs zdsup`,
  exec_interpreter: `${ALWAYS}: workers run on the Node that runs zdsup`,
  source_map_support: "nodeArgs: '--enable-source-maps'",
  instance_var: `${NONE}; the slot is in NODE_APP_INSTANCE`,
  increment_var: NONE,
  wait_ready: "ready: 'message'",
  listen_timeout: 'ready.deadline',
  kill_timeout: 'drainTimeout for requests in flight, then killTimeout for handlers of the app',
  shutdown_with_message: `${NONE}; the app gets SIGTERM once it has drained`,
  max_memory_restart: 'maxMemory',
  cron_restart: `${NONE}; maxAge recycles workers, and a line of cron can run zdsup reload`,
  watch_delay: `${ALWAYS}: changes that come together make one reload`,
  watch_options: 'watch and watchIgnore',
  ignore_watch: 'watchIgnore',
  autorestart: `${ALWAYS}: workers that end are always replaced`,
  max_restarts: "crashLoop: '5 in 60s'",
  min_uptime: "crashLoop: '5 in 60s'",
  restart_delay: 'backoff',
  exp_backoff_restart_delay: 'backoff',
  stop_exit_codes: NONE,
  uid: 'user',
  gid: 'group',
  namespace: NONE,
  out_file: 'log.out',
  error_file: 'log.error',
  log_file: 'log.out, which has stderr too where log.error is left out',
  pid_file: `${NONE}; zdsup status has the pids`,
  merge_logs: `${ALWAYS}: all workers have one log, and zdsup logs --worker <n> shows one of them`,
  combine_logs: `${ALWAYS}: all workers have one log, and zdsup logs --worker <n> shows one of them`,
  log_date_format: `${ALWAYS}: zdsup logs --json and --since know the instant of each line`,
  log_type: `${ALWAYS}: zdsup logs --json`,
  time: `${ALWAYS}: zdsup logs --json and --since know the instant of each line`,
  filter_env: NONE,
};

/** Undefined where it is no key of PM2's. */
export const counterpartOf = (key: string): string | undefined =>
  Object.hasOwn(COUNTERPARTS, key)
    ? COUNTERPARTS[key]
    : /^env_\w+$/.test(key)
      ? 'env, chosen in the config by process.env.NODE_ENV, or an envFile'
      : undefined;

export const PM2_KEYS: readonly string[] = Object.keys(COUNTERPARTS);
