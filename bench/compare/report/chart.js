// The results as one SVG: a small panel of bars for each of a few metrics. It has both colour schemes within, and no background of its own. Pure.
import { metrics, written } from './metrics.js';

const PANELS = [
  ['perRequestCpu', 'CPU a request, a new connection each'],
  ['keepAliveCpu', 'CPU a request, keep-alive'],
  ['lost', 'Requests lost over reloads'],
  ['closed', 'Keep-alive connections closed over reloads'],
  ['reloadP99', 'Latency p99 during a reload'],
  ['evenness', 'Busiest worker / mean'],
];

const WIDTH = 860;
const COLUMNS = 2;
const GAP = 36;
const PANEL = (WIDTH - GAP * (COLUMNS - 1)) / COLUMNS;
const LABEL = 150;
const VALUE = 66;
const BAR = 14;
const LINE = 22;
const TITLE = 30;

const STYLE = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #3d4450; }
  .title { font-weight: 600; font-size: 13px; fill: #1f2328; }
  .own { font-weight: 600; fill: #1f2328; }
  .bar { fill: #a8b1bd; }
  .bar.own { fill: #1a7f5a; }
  @media (prefers-color-scheme: dark) {
    text { fill: #b6bec9; }
    .title, .own { fill: #f0f3f6; }
    .bar { fill: #59636f; }
    .bar.own { fill: #3fb98a; }
  }`;

const escaped = (text) =>
  text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
const at = (number) => Number(number.toFixed(1));

function bar(runner, metric, most, y) {
  const value = runner.figures[metric.key];
  const width = value === null || most === 0 ? 0 : at(((PANEL - LABEL - VALUE) * value) / most);
  const own = runner.id === 'zdsup' ? ' own' : '';
  return [
    `<text class="label${own}" x="${LABEL - 8}" y="${y + 11}" text-anchor="end">${escaped(runner.title)}</text>`,
    `<rect class="bar${own}" x="${LABEL}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`,
    `<text class="value${own}" x="${LABEL + width + 6}" y="${y + 11}">${escaped(written(value, metric))}</text>`,
  ].join('');
}

/** A runner without such a figure (plain node has no reload) has no bar. */
const shownIn = (key, runners) => runners.filter(({ figures }) => figures[key] !== null);

function panel([key, title], runners, x, y) {
  const metric = metrics.find((one) => one.key === key);
  const shown = shownIn(key, runners);
  const most = Math.max(0, ...shown.map(({ figures }) => figures[key]));
  const bars = shown.map((runner, index) => bar(runner, metric, most, TITLE + index * LINE)).join('');
  return `<g transform="translate(${at(x)} ${y})"><text class="title" y="13">${escaped(title)}</text>${bars}</g>`;
}

/** The panels row by row, each row as high as the one with the most bars. */
function layOut(runners) {
  const drawn = [];
  let y = 2;
  for (let first = 0; first < PANELS.length; first += COLUMNS) {
    const row = PANELS.slice(first, first + COLUMNS);
    drawn.push(...row.map((one, column) => panel(one, runners, column * (PANEL + GAP), y)));
    y += TITLE + Math.max(...row.map(([key]) => shownIn(key, runners).length)) * LINE + 16;
  }
  return { panels: drawn.join('\n'), height: y };
}

/** What the bars show, for those who cannot see them. */
const described = (runners) =>
  PANELS.map(([key, title]) => {
    const metric = metrics.find((one) => one.key === key);
    const figures = shownIn(key, runners).map((runner) => `${runner.title} ${written(runner.figures[key], metric)}`);
    return `${title}: ${figures.join(', ')}.`;
  }).join(' ');

export function chart({ runners }) {
  const { panels, height } = layOut(runners);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>zdsup beside plain node, node:cluster, PM2 and Watt; less is better</title>
<desc>${escaped(described(runners))}</desc>
<style>${STYLE}
</style>
${panels}
</svg>
`;
}
