/** Durations, sizes and shares as people write them. */
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const IN_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `30s`, `500ms`, `1.5m`, `1h`, or a number of ms. @returns ms, or null where it is no duration */
export function parseDuration(value: string | number): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : null;
  const match = DURATION.exec(value.trim());
  if (match) return Math.round(Number(match[1]) * IN_MS[match[2]!]!);
  return /^\d+$/.test(value.trim()) ? Number(value) : null;
}

/** Of sizes as of memory: powers of 1024, whatever the letters are called. */
const SIZE = /^(\d+(?:\.\d+)?) ?(b|k|kb|kib|m|mb|mib|g|gb|gib)$/i;
const POWERS = 'bkmg';

/** `512mb`, `1.5gb`, `64kb`, or a number of bytes. @returns bytes, or null where it is no size */
export function parseSize(value: string | number): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : null;
  const match = SIZE.exec(value.trim());
  if (match) return Math.round(Number(match[1]) * 1024 ** POWERS.indexOf(match[2]![0]!.toLowerCase()));
  return /^\d+$/.test(value.trim()) ? Number(value) : null;
}

/** `512 B`, `1.5 kB`, `10 MB`: in powers of 1024, as {@link parseSize} reads them. */
export function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${value < 10 && power > 0 ? Math.round(value * 10) / 10 : Math.round(value)} ${units[power]}`;
}

/** `5%`, `0.1%`, or a number: 0.05. @returns the share, or null where it is none */
export function parseShare(value: string | number): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : null;
  const match = /^(\d+(?:\.\d+)?) ?%$/.exec(value.trim());
  return match ? Number(match[1]) / 100 : null;
}

/** `250 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return ms < 10_000 ? `${(ms / 1_000).toFixed(1)} s` : `${seconds} s`;
  const units: [string, number][] = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  const [bigName, big] = units[first]!;
  const [smallName, small] = units[first + 1]!;
  const rest = Math.floor((seconds % big) / small);
  return rest === 0
    ? `${Math.floor(seconds / big)} ${bigName}`
    : `${Math.floor(seconds / big)} ${bigName} ${rest} ${smallName}`;
}
