/** Runs in the page. A row for each worker, with the last minute of its requests and its CPU. Lines of one column have one scale. */
import type { WorkerSnapshot } from '../../shared/snapshot.js';
import { formatDuration, formatSize } from '../../shared/units.js';
import { byId, make, setAttribute, setText } from '../dom.js';
import type { Row } from '../keyed.js';
import { Keyed } from '../keyed.js';
import type { Model } from '../model.js';
import { formatMs, formatRate, formatShare, grouped, NONE } from '../pure/format.js';
import { laneOf } from '../pure/lanes.js';
import { workerKey } from '../pure/sparks.js';
import { tallyOf, workerTone, workerWords } from '../pure/worker-words.js';
import { makeSpark } from './spark.js';
import type { View } from './view.js';

interface WorkerItem {
  worker: WorkerSnapshot;
  model: Model;
  highestRps: number;
  highestCpu: number;
}

export function workersView(): View {
  const words = byId('workers-words');
  const rows = new Keyed<WorkerItem>(byId('workers'), ({ worker }) => workerKey(worker), makeRow);
  return (model) => {
    const { app, sparks } = model;
    if (!app) return;
    const workers = app.workers.toSorted((one, other) => one.generation - other.generation || one.slot - other.slot);
    const highestRps = sparks.highest('rps');
    const highestCpu = Math.max(20, sparks.highest('cpu'));
    rows.update(workers.map((worker) => ({ worker, model, highestRps, highestCpu })));
    setText(words, workers.length === 0 ? 'none' : `${tallyOf(workers)}; lines: the last minute`);
  };
}

function makeRow({ worker: { generation, slot } }: WorkerItem): Row<WorkerItem> {
  const root = make('tr');
  root.dataset.lane = String(laneOf(generation));
  const name = make(
    'th',
    'slot',
    make('span', 'slot-number', String(slot)),
    make('span', 'slot-generation', `gen ${generation}`),
  );
  name.scope = 'row';
  const state = make('span', 'chip');
  const rps = make('span');
  const cpu = make('span');
  const rpsSpark = makeSpark();
  const cpuSpark = makeSpark();
  const plain = Array.from({ length: 8 }, () => make('span'));
  const [p99, memory, loop, delay, inFlight, connections, restarts, up] = plain as [
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
  ];
  root.append(
    name,
    make('td', '', state),
    make('td', 'number with-spark', rpsSpark.root, rps),
    make('td', 'number', p99),
    make('td', 'number with-spark', cpuSpark.root, cpu),
    make('td', 'number', memory),
    make('td', 'number mid', loop),
    make('td', 'number wide', delay),
    make('td', 'number mid', inFlight),
    make('td', 'number wide', connections),
    make('td', 'number mid', restarts),
    make('td', 'number wide', up),
  );
  return {
    root,
    update({ worker, model, highestRps, highestCpu }) {
      const { figures } = worker;
      const history = model.sparks.of(worker);
      setText(state, workerWords(worker, model.now));
      setAttribute(state, 'data-tone', workerTone(worker));
      setText(rps, formatRate(figures?.rates.requestsPerSecond));
      setText(p99, formatMs(figures?.rates.p99Ms));
      setText(cpu, worker.cpuPercent === null ? NONE : formatShare(worker.cpuPercent / 100));
      setText(memory, worker.rssBytes === null ? NONE : formatSize(worker.rssBytes));
      setText(loop, formatShare(figures?.loop.utilization));
      setText(delay, formatMs(figures?.loop.delayP99Ms));
      setText(inFlight, worker.inFlight === null ? NONE : grouped(worker.inFlight));
      setText(connections, worker.connections === null ? NONE : grouped(worker.connections));
      setText(restarts, String(worker.restarts));
      setText(
        up,
        worker.startedAt === null ? NONE : formatDuration(Math.max(1_000, model.now - Date.parse(worker.startedAt))),
      );
      rpsSpark.update(history?.rps ?? [], highestRps);
      cpuSpark.update(history?.cpu ?? [], highestCpu);
    },
  };
}
