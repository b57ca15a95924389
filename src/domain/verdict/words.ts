/** What is said of a verdict: one line, with the figures that it rests on. Pure. */
import { quantile } from './histogram.js';
import type { Finding, Tally, VerdictSettings, VerdictState } from './types.js';

const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');
const requests = (count: number): string => `${grouped(count)} ${count === 1 ? 'request' : 'requests'}`;

/** `0.04 %`, `4.1 %`, `12 %`. */
function percent(share: number): string {
  const value = share * 100;
  if (value === 0 || value === 100) return `${value} %`;
  return `${value < 1 ? value.toPrecision(1) : value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

/** `0.4 ms`, `12 ms`, `1.8 s`. */
function duration(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

const failures = ({ failed, requests: all }: Tally): string =>
  failed === 0 ? `0 of ${requests(all)} failed` : `${percent(failed / all)} of ${requests(all)} failed`;

const failuresOfStable = ({ failed, requests: all }: Tally): string =>
  failed === 0
    ? `of the stable generation's 0 of ${grouped(all)}`
    : `of the stable generation's ${percent(failed / all)} of ${grouped(all)}`;

function p99s({ canary, stable }: VerdictState): string | null {
  const [ours, theirs] = [quantile(canary.latency, 0.99), quantile(stable.latency, 0.99)];
  if (ours === null) return null;
  return `p99 ${duration(ours)}${theirs === null ? '' : `, the stable generation's ${duration(theirs)}`}`;
}

/** Rounded down to 1, 2 or 5 times a power of ten: the figure is a bound. */
function byChance(chance: number): string {
  const power = 10 ** Math.floor(Math.log10(chance));
  const least = Math.round((chance >= 5 * power ? 5 : chance >= 2 * power ? 2 : 1) * power);
  return least >= 100 ? `less than 1 in ${grouped(Math.min(least, 1e9))}` : `1 in ${Math.floor(chance)}`;
}

function difference(state: VerdictState, finding: Extract<Finding, { chance: number }>): string {
  const { canary, stable } = state;
  switch (finding.by) {
    case 'errors':
      return `${failures(canary)}, ${failuresOfStable(stable)}`;
    case 'latency': {
      const { slow } = finding;
      const ours = `${percent(slow.canary.hits / slow.canary.count)} of ${requests(slow.canary.count)} took more than ${duration(slow.canaryMs)}`;
      const theirs = `of the stable generation's ${percent(slow.stable.hits / slow.stable.count)} more than ${duration(slow.stableMs)}`;
      return [ours, theirs, p99s(state)].filter((part) => part !== null).join(', ');
    }
    case 'loop':
      return `its event loop was held up for up to ${duration(canary.heldUpMs)}, the stable generation's for up to ${duration(stable.heldUpMs)}`;
  }
}

export function wordsOfBad(state: VerdictState, finding: Finding, settings: VerdictSettings): string {
  const { canary } = state;
  switch (finding.by) {
    case 'maxRestarts':
      return `${canary.crashes} ${canary.crashes === 1 ? 'worker has' : 'workers have'} crashed, more than maxRestarts (${settings.maxRestarts})`;
    case 'maxErrorRate':
      return `${failures(canary)}, more than maxErrorRate (${percent(settings.maxErrorRate!)})`;
    case 'maxP99':
      return `p99 of ${requests(canary.latency.count)} is ${duration(quantile(canary.latency, 0.99)!)}, more than maxP99 (${duration(settings.maxP99Ms!)})`;
    default:
      return `${difference(state, finding)}; such a difference by chance: ${byChance(finding.chance)}`;
  }
}

export const wordsOfDoubt = (state: VerdictState, finding: Finding): string =>
  `it may be worse: ${'chance' in finding ? `${difference(state, finding)}; by chance: ${byChance(finding.chance)}` : finding.by}`;

/** Null where there is enough to judge by. */
export function wordsOfFew({ phase, canary, stable }: VerdictState, { minRequests }: VerdictSettings): string | null {
  if (canary.requests < minRequests)
    return `too little traffic: ${requests(canary.requests)} of at least ${grouped(minRequests)} so far`;
  if (stable.requests < minRequests)
    return `too little to compare with: the stable generation ${phase === 'soak' ? 'had' : 'has had'} ${requests(stable.requests)} of at least ${grouped(minRequests)}`;
  return null;
}

export function wordsOfGood(state: VerdictState): string {
  const { canary, stable } = state;
  return [`${failures(canary)}, ${failuresOfStable(stable)}`, p99s(state)].filter((part) => part !== null).join('; ');
}
