/** Runs in the CLI. Figures as people read them: short, and of the same width from look to look. */

export const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

export const perSecond = (rate: number): string =>
  rate > 0 && rate < 9.95 ? rate.toFixed(1) : String(Math.round(rate));

export const milliseconds = (ms: number | null): string =>
  ms === null ? '-' : `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;

/** Never 0 where there is something. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return '0 %';
  return `${value < 0.01 ? '0.01' : value < 1 ? value.toFixed(2) : value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}
