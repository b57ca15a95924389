/** Runs in the CLI. Long work as it goes: one line redrawn in place on a terminal, a plain line for each step elsewhere. */
import type { Progress } from '../../shared/control-protocol.js';
import { allOnOneLine } from './on-one-line.js';

export interface ProgressView {
  show(progress: Progress): void;
  end(): void;
}

const BAR_WIDTH = 20;
const TICK_MS = 250;

export function makeProgress(app: string, mode: 'live' | 'lines' | 'none'): ProgressView {
  if (mode === 'none') return { show() {}, end() {} };
  const view = mode === 'lines' ? lineView(app) : liveView(app);
  return { ...view, show: (progress) => view.show(allOnOneLine(progress)) };
}

function lineView(app: string): ProgressView {
  return { show: ({ message }) => void process.stderr.write(`${app}: ${message}\n`), end() {} };
}

function liveView(app: string): ProgressView {
  const startedAt = Date.now();
  let last: Progress | null = null;
  let drawn = false;
  const draw = (): void => {
    if (!last) return;
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    const columns = process.stderr.columns ?? 80;
    process.stderr.write(`\r\x1b[K${`${app} ${bar(last)}${seconds} s  ${last.message}`.slice(0, columns - 1)}`);
    drawn = true;
  };
  const timer = setInterval(draw, TICK_MS).unref();
  return {
    show(progress) {
      if (progress.kind === 'warning') {
        process.stderr.write(`\r\x1b[K${app}: ${progress.message}\n`); // It stays; the next step is drawn below.
        return;
      }
      // The counts are on some steps only; the bar stays where it was on the others.
      last = {
        ...(last?.wantedCount === undefined
          ? {}
          : { activeCount: last.activeCount ?? 0, wantedCount: last.wantedCount }),
        ...progress,
      };
      draw();
      if (progress.kind === 'serving') {
        process.stderr.write('\n');
        drawn = false;
      }
    },
    end() {
      clearInterval(timer);
      if (drawn) process.stderr.write('\r\x1b[K');
    },
  };
}

function bar({ activeCount, wantedCount }: Progress): string {
  if (activeCount === undefined || !wantedCount) return '';
  const filled = Math.round((activeCount / wantedCount) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${activeCount}/${wantedCount}  `;
}
