/** Runs in the CLI. Snapshots for people: tables within 100 columns where nobody measures, and within those of a terminal that has fewer. */
import type { AppSnapshot } from '../../shared/snapshot.js';
import { isUp, statusLines } from './status-lines.js';
import { drainLines, generationTable, workerTable } from './status-tables.js';
import { styles } from './style.js';

/** @param columns of the terminal; undefined where it is none */
export function renderStatus(apps: AppSnapshot[], now: number, columns?: number): string {
  return `${apps.map((app) => renderApp(app, now, columns)).join('\n\n')}\n`;
}

function renderApp(app: AppSnapshot, now: number, columns = Number.POSITIVE_INFINITY): string {
  const lines = statusLines(app, now).map(({ text }) => text);
  if (!isUp(app)) return lines.join('\n');
  const sharing = generationTable(app, columns);
  if (sharing !== null) lines.push('', ...sharing);
  if (app.workers.length === 0) return [...lines, styles(process.stdout).dim('workers    none')].join('\n');
  return [...lines, '', ...workerTable(app.workers, now, columns), ...drainLines(app)].join('\n');
}
