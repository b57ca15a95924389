// The results as Markdown. Pure.
import { method } from './method.js';
import { metrics, written } from './metrics.js';

const row = (cells) => `| ${cells.join(' | ')} |`;

function figuresTable(runners) {
  return [
    row(['', ...runners.map(({ id, title }) => (id === 'zdsup' ? `**${title}**` : title))]),
    row(['---', ...runners.map(() => '---:')]),
    ...metrics.map((metric) =>
      row([metric.title, ...runners.map(({ figures }) => written(figures[metric.key], metric))]),
    ),
  ].join('\n');
}

function limitsTable(limits) {
  return [
    row(['limit', 'measured', 'at most', '']),
    row(['---', '---:', '---:', '---']),
    ...limits.map(({ what, value, limit, within }) =>
      row([
        what,
        value === null ? '–' : value.toFixed(2),
        String(limit),
        { true: 'held', false: '**exceeded**', null: 'not measured' }[within],
      ]),
    ),
  ].join('\n');
}

function runnersTable(runners) {
  return [
    row(['runner', 'version', 'Node', 'processes', 'reloaded by']),
    row(['---', '---', '---', '---', '---']),
    ...runners.map(({ title, version, node, processes, reloadedBy }) =>
      row([title, version ?? '–', node, processes, reloadedBy ?? 'none']),
    ),
  ].join('\n');
}

/** The page of a whole result. */
export function markdown({ date, machine, rounds, reloads, load, runners, limits }) {
  const counted = `${rounds} alternating ${rounds === 1 ? 'round' : 'rounds'}`;
  return `# zdsup and its rivals on one app

${date}, ${machine.cpus} × ${machine.model}, Linux ${machine.kernel}; ${counted}, ${load.workers} workers each (plain node: one process), on loopback. Figures are medians of the rounds, what
is counted over reloads is their sum. \`npm run bench:compare\` measures your machine.

![The main figures as bars](benchmark.svg)

${figuresTable(runners)}

## What zdsup is held to

${limitsTable(limits)}

## Who runs

${runnersTable(runners)}

${method(load, reloads)}`;
}
