// zdsup beside plain node, node:cluster, PM2 and Watt, on one app: what a request costs, how long it takes, and what a reload loses. README.md
// says what each figure means. Writes bench/results/, says whether zdsup is within its limits, and exits 1 where it is not.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chart } from './compare/report/chart.js';
import { checkLimits, verdict } from './compare/report/limits.js';
import { figuresOf, metrics, written } from './compare/report/metrics.js';
import { markdown } from './compare/report/table.js';
import { LOAD, measureRound, roundSeconds } from './compare/round.js';
import { runners as all } from './compare/runners/index.js';
import { closeAllPlaces } from './compare/runners/place.js';
import { nodeFor, nodeVersion } from './compare/runners/which-node.js';

const USAGE = `usage: npm --prefix bench run compare -- [options]
  --rounds <n>      alternating rounds (5)
  --reloads <n>     reloads under load in each round (1)
  --only <ids>      these runners alone, with commas between: ${all.map(({ id }) => id).join(',')}
  --node <path>     the Node that all run on (the one that runs this)
  --out <folder>    where the results are written (bench/results; docs for those that are published)`;

class UsageError extends Error {}

function readSettings() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      reloads: { type: 'string', default: '1' },
      only: { type: 'string', default: all.map(({ id }) => id).join(',') },
      node: { type: 'string', default: process.execPath },
      out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
    },
  });
  const count = (name) => {
    if (!/^[1-9]\d{0,2}$/.test(values[name])) throw new UsageError(`--${name} ${values[name]}: a number from 1 to 999`);
    return Number(values[name]);
  };
  const runners = values.only.split(',').map((id) => {
    const runner = all.find((one) => one.id === id);
    if (runner === undefined) throw new UsageError(`--only ${id}: no such runner`);
    // The version also tells whether it is there at all: before the long run, not in it.
    return { runner, version: runner.version ?? null, node: nodeFor(runner, values.node) };
  });
  return {
    rounds: count('rounds'),
    reloads: count('reloads'),
    runners,
    out: resolve(process.env.INIT_CWD ?? '.', values.out),
  };
}

const write = (text) => process.stdout.write(text);

/** The rounds of each runner, by its id. One line a round: the steps as they begin, and how long it took. */
async function measureAll({ rounds, reloads, runners }) {
  const seen = Object.fromEntries(runners.map(({ runner }) => [runner.id, []]));
  for (let round = 1; round <= rounds; round++) {
    const startedAt = performance.now();
    write(`round ${round} of ${rounds}: `);
    const measured = await measureRound(runners, { reloads }, (step) => write(`${step}, `));
    for (const [id, one] of Object.entries(measured)) seen[id].push(one);
    write(`${((performance.now() - startedAt) / 1_000).toFixed(0)} s\n`);
  }
  return seen;
}

function resultOf({ rounds, reloads, runners }, seen) {
  const measured = runners.map(({ runner, version, node }) => ({
    id: runner.id,
    title: runner.title,
    version,
    node: nodeVersion(node),
    processes: runner.processes,
    reloadedBy: runner.reloadedBy,
    figures: figuresOf(seen[runner.id]),
    rounds: seen[runner.id],
  }));
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: { cpus: cpus().length, model: cpus()[0].model.trim(), kernel: release() },
    rounds,
    reloads,
    load: LOAD,
    limits: checkLimits(Object.fromEntries(measured.map(({ id, figures }) => [id, figures]))),
    runners: measured,
  };
}

function save(result, folder) {
  writeFileSync(join(folder, 'benchmark.md'), markdown(result));
  writeFileSync(join(folder, 'benchmark.json'), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(folder, 'benchmark.svg'), chart(result));
}

function show({ runners, limits }) {
  const width = Math.max(...metrics.map(({ title }) => title.length));
  const columns = runners.map(({ title }) => Math.max(12, title.length));
  const line = (first, cells) =>
    write(`${first.padEnd(width)}  ${cells.map((cell, i) => cell.padStart(columns[i])).join('  ')}\n`);
  write('\n');
  line(
    '',
    runners.map(({ title }) => title),
  );
  for (const metric of metrics)
    line(
      metric.title.replaceAll('*', ''),
      runners.map(({ figures }) => written(figures[metric.key], metric)),
    );
  write('\n');
  for (const { what, value, limit, within } of limits)
    write(
      `${{ true: 'ok  ', false: 'OVER', null: '–   ' }[within]}  ${what}: ${value === null ? 'not measured' : value.toFixed(2)} (at most ${limit})\n`,
    );
}

/** An interrupted run ends all that it has started, by id, and leaves no folder. */
function endOnSignal() {
  let ending = false;
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])
    process.on(signal, async () => {
      if (ending) return;
      ending = true;
      write('\ninterrupted; ending what runs\n');
      await closeAllPlaces();
      process.exit(status);
    });
  return {
    get ending() {
      return ending;
    },
  };
}

// Who reads may have gone, as the one behind a pipe does at Ctrl-C: that is no reason to leave processes behind.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const interruption = endOnSignal();
try {
  const settings = readSettings();
  // A folder that cannot be written is found before the long run, not after it.
  mkdirSync(settings.out, { recursive: true });
  const seconds = settings.rounds * roundSeconds(settings.runners, settings);
  write(
    `${settings.runners.length} runners, ${settings.rounds} ${settings.rounds === 1 ? 'round' : 'rounds'}: about ${Math.ceil(seconds / 60)} min. The machine should do nothing else meanwhile.\n`,
  );
  const result = resultOf(settings, await measureAll(settings));
  save(result, settings.out);
  show(result);
  write(`\nwritten to ${settings.out}: benchmark.md, benchmark.json, benchmark.svg\n${verdict(result.limits)}\n`);
  process.exitCode = result.limits.some(({ within }) => within === false) ? 1 : 0;
} catch (error) {
  // What fails because its processes are being ended is no news.
  if (!interruption.ending) {
    const usage = error instanceof UsageError || error.code?.startsWith('ERR_PARSE_ARGS');
    process.stderr.write(`\nerror: ${error.message}\n${usage ? `${USAGE}\n` : ''}`);
    await closeAllPlaces();
    process.exitCode = 2;
  }
}
