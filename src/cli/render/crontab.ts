/** Runs in the CLI. The line for a crontab. Cron reads no profile of a shell, so what matters of the environment is in the line. */

/** @param env what is undefined is left out */
export function crontabLine(env: Record<string, string | undefined>, command: string[], log: string): string {
  const variables = Object.entries(env).flatMap(([name, value]) => (value ? [`${name}=${quoted(value)}`] : []));
  const line = [...variables, ...command.map(quoted), '>>', quoted(log), '2>&1'].join(' ');
  return `@reboot ${line.replaceAll('%', '\\%')}`; // To cron a bare % is a line break.
}

/** For /bin/sh, where it has to be. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
