/** Runs in the CLI. What a check has found, for people. */
import type { Changes, CheckReport } from '../../shared/check-report.js';
import { formatDuration } from '../../shared/units.js';
import { styles } from './style.js';

/** Files named; the rest is counted. */
const NAMED_FILES = 10;

export function renderCheck(report: CheckReport, release: { id: string; path: string }, listeners: string[]): string {
  const { green, red, bold } = styles(process.stdout);
  const { app, ok, message, changes, durationMs, smoke, warmup, state } = report;
  const proven = `ready after ${formatDuration(durationMs)}${warmUpWords(warmup)}${smoke === 'passed' ? ', smoke test passed' : ''}`;
  const lines = [
    `${bold(app)}  ${proven}`,
    ...(state === 'crash-looping' ? [`serving    ${red('crash-looping')}: see zdsup status ${app}`] : []),
    ...(changes
      ? changeLines(changes)
      : [`release    ${release.id} ${release.path}`, `listening  ${listeners.join(', ') || 'on nothing'}`]),
    `${ok ? green('ok') : red('no')}: ${message}`,
  ];
  return `${lines.join('\n')}\n`;
}

function warmUpWords(answers: CheckReport['warmup']): string {
  const good = answers.filter(({ failure }) => failure === null).length;
  if (answers.length === 0) return '';
  return good === answers.length ? ', warmed up' : `, warmed up by ${good} of ${answers.length} paths`;
}

function changeLines({ release, files, config, env, listeners }: Changes): string[] {
  const { from, to } = release;
  const rest = files.length - NAMED_FILES;
  return [
    from.id === to.id ? `release    ${to.id} ${to.path}, as it runs` : `release    ${from.id} to ${to.id} ${to.path}`,
    `files      ${files.length === 0 ? 'none has changed' : `${files.length} changed: ${files.slice(0, NAMED_FILES).join(', ')}${rest > 0 ? `, and ${rest} more` : ''}`}`,
    `config     ${config.map(({ key, from: old, to: now }) => `${key} ${JSON.stringify(old)} to ${JSON.stringify(now)}`).join(', ') || 'unchanged'}`,
    `env        ${[...env.added.map((name) => `+${name}`), ...env.removed.map((name) => `-${name}`)].join(' ') || 'the same names'}`,
    `listening  ${[...listeners.added.map((label) => `+${label}`), ...listeners.missing.map((label) => `-${label}`)].join(' ') || 'on the same'}`,
  ];
}
