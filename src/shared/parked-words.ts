/** Ground: what a rollback to the parked generation takes, as `status` and the commands say it. No I/O. */

/** @param boots so many of its workers have gone meanwhile */
export const wakeWords = (appName: string, boots: number): string =>
  boots === 0
    ? `zdsup rollback ${appName} is instant`
    : `zdsup rollback ${appName} takes a boot, of ${boots} ${boots === 1 ? 'worker' : 'workers'}`;
