/** Runs in the page. Who this is, and how it is: name, state, release, listeners, master. */
import type { AppSnapshot, ListenerSnapshot } from '../../shared/snapshot.js';
import { formatDuration, formatSize } from '../../shared/units.js';
import { byId, setAttribute, setHidden, setText } from '../dom.js';
import type { Model } from '../model.js';
import { formatMs, formatShare } from '../pure/format.js';
import type { View } from './view.js';

const TONES: Partial<Record<AppSnapshot['state'], string>> = {
  running: 'good',
  'crash-looping': 'bad',
  crashed: 'bad',
};

export function headerView(): View {
  const name = byId('app-name');
  const state = byId('app-state');
  const link = byId('link');
  const facts = byId('app-facts');
  const master = byId('master-facts');
  const readOnly = byId('read-only');
  return (model) => {
    document.body.dataset.connection = model.link.state;
    setText(link, model.link.state);
    const { app } = model;
    if (!app) return;
    setText(name, app.name);
    setText(state, app.state);
    setAttribute(state, 'data-tone', TONES[app.state] ?? 'warn');
    setHidden(readOnly, !model.readOnly);
    setText(facts, factsOf(app));
    setText(master, masterFacts(app, model));
    const title = `${app.name}: ${model.link.state === 'lost' ? 'connection lost' : titleOf(app)}`;
    if (document.title !== title) document.title = title;
  };
}

function titleOf({ state, rollout }: AppSnapshot): string {
  if (rollout?.outcome === null) return rollout.weight === null ? rollout.step : `canary ${rollout.weight} %`;
  return state;
}

function factsOf({ release, listeners }: AppSnapshot): string {
  const parts = [
    ...(release ? [`release ${release.id}${release.modified ? ' (modified since)' : ''}`] : []),
    ...listeners.map(addressOf),
  ];
  return parts.join(' · ');
}

function addressOf({ address, port, path, protocol }: ListenerSnapshot): string {
  if (path !== undefined) return `${protocol} ${path}`;
  return `${protocol}://${address?.includes(':') ? `[${address}]` : (address ?? '*')}:${port}`;
}

function masterFacts({ masterPid, version, startedAt, figures, log }: AppSnapshot, { now }: Model): string {
  const parts = [
    `zdsup ${version}`,
    `master ${masterPid}, up ${formatDuration(Math.max(0, now - Date.parse(startedAt)))}`,
  ];
  if (figures) {
    const { master } = figures;
    parts.push(
      `CPU ${formatShare(master.cpuPercent / 100)}`,
      `${formatSize(master.rssBytes)} RSS, ${formatSize(master.heapUsedBytes)} heap`,
      `loop delay p99 ${formatMs(master.loop.delayP99Ms)}`,
      `queue ${formatMs(master.queueDelayMs)}`,
    );
  }
  if (log?.trouble) parts.push(`log: ${log.trouble}`);
  if (log && log.droppedLines > 0) parts.push(`${log.droppedLines} log lines dropped`);
  return parts.join(' · ');
}
