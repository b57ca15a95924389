/** Runs in the CLI. Releases as people read them: what has changed in one, and which there are. */
import type { Head } from '../../releases/manifest.js';
import type { Taken } from '../../releases/take.js';
import { table } from './table.js';

export interface ListedRelease {
  id: string;
  path: string;
  /** `last good`: what `zdsup rollback` goes back to, of an app that does not run what its next start by name runs. */
  state: 'serves' | 'parked' | 'last good' | 'in use' | 'starts next' | 'failed' | 'stored';
  /** Null where its manifest is damaged. */
  head: Head | null;
  /** What is wrong with it, a line each. */
  faults: string[];
}

/** `12 of 4,310 files changed, 84 KB`. */
export function changeOf({
  head,
  previous,
  changed,
  changedBytes,
  removed,
  isKnown,
}: Omit<Taken, 'path' | 'storedBytes' | 'warnings'>): string {
  if (previous === null) return `${counted(head.files)}, ${sizeOf(head.bytes)}`;
  if (head.id === previous) return `none of ${counted(head.files)} changed`;
  const gone = removed > 0 ? `, ${thousands(removed)} removed` : '';
  const again = isKnown ? ', as in a release that is stored already' : '';
  return `${thousands(changed)} of ${counted(head.files)} changed, ${sizeOf(changedBytes)}${gone}${again}`;
}

const counted = (files: number): string => `${thousands(files)} ${files === 1 ? 'file' : 'files'}`;
const thousands = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

export function sizeOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 999_500) return `${Math.round(bytes / 1_000)} KB`;
  return `${(bytes / 1_000_000).toFixed(bytes < 99_500_000 ? 1 : 0)} MB`;
}

/** With the commit that it was taken at, where there is one. */
export const releaseName = ({ id, label }: Pick<Head, 'id' | 'label'>): string =>
  label === null ? id : `${id} (${label.commit} ${label.subject})`;

/** @param verified every file was read */
export function renderReleases(app: string, releases: ListedRelease[], now: number, verified: boolean): string {
  if (releases.length === 0) return `${app}: no release is stored; zdsup deploy ${app} makes one`;
  const rows = releases.map(({ id, state, head, faults }) => [
    id,
    faults.length > 0 ? `${state}, damaged` : state,
    head ? ageOf(now - Date.parse(head.deployedAt)) : '-',
    head ? thousands(head.files) : '-',
    head ? sizeOf(head.bytes) : '-',
    head ? [head.label && `${head.label.commit} ${head.label.subject}`, head.message].filter(Boolean).join('; ') : '-',
  ]);
  const faults = releases.flatMap(({ id, faults: lines }) => lines.map((line) => `${id}: ${line}`));
  const count = releases.length === 1 ? '1 release' : `${releases.length} releases`;
  const last = verified && faults.length === 0 ? [`all files of ${count} verified`] : faults;
  return [app, table(['release', 'state', 'deployed', 'files', 'size', 'what'], rows), ...last].join('\n');
}

const UNITS: [ms: number, name: string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
];

function ageOf(ms: number): string {
  const [unit, name] = UNITS.find(([size]) => ms >= size) ?? [1_000, 's'];
  return `${Math.max(0, Math.floor(ms / unit))} ${name} ago`;
}
