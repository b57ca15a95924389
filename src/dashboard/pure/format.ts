/** Figures as people read them at a glance. Pure. */

/** Where nothing was measured. */
export const NONE = '–';

/** `0`, `0.4`, `8.2`, `812`, `12.3k`, `1.2M`. */
export function formatRate(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value === 0) return '0';
  if (value < 0.05) return '<0.1';
  if (value < 9.95) return value.toFixed(1);
  if (value < 9_999.5) return grouped(value);
  if (value < 999_950) return `${(value / 1_000).toFixed(1)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

/** `0`, `3`, `9,999`, `12.3k`, `1.2M`: of what is counted there are no parts. */
export const formatCount = (count: number | null | undefined): string =>
  typeof count === 'number' && count < 9_999.5 ? grouped(count) : formatRate(count);

/** `0 ms`, `0.42 ms`, `4.2 ms`, `123 ms`, `1.2 s`. */
export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  if (ms === 0) return '0 ms';
  if (ms < 0.995) return `${ms.toFixed(2)} ms`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** @param share 0 to 1 @returns `0 %`, `<0.1 %`, `1.2 %`, `25 %`: never 0 or 100 for what is not */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return NONE;
  const percent = share * 100;
  if (percent === 0) return '0 %';
  if (percent < 0.1) return '<0.1 %';
  if (percent < 9.95) return `${trimmed(percent)} %`;
  if (percent > 99.5 && percent < 100) return `${Math.min(99.9, Math.floor(percent * 10) / 10)} %`;
  return `${Math.round(percent)} %`;
}

const trimmed = (value: number): string => value.toFixed(1).replace(/\.0$/, '');

/** `1,234,567`. */
export const grouped = (count: number): string => Math.round(count).toLocaleString('en');

/** `1 worker`, `3 workers`. */
export const counted = (count: number, word: string): string => `${grouped(count)} ${word}${count === 1 ? '' : 's'}`;

/** Of a day, in the reader's own zone: `14:03:09`. */
export function formatClock(at: number): string {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
