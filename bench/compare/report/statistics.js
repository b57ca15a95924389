// The few statistics that are quoted. Pure.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The least value that at least `share` of the values do not exceed (nearest rank). */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export function percentiles(values) {
  return {
    p50: percentile(values, 0.5),
    p99: percentile(values, 0.99),
    max: percentile(values, 1),
    count: values.length,
  };
}

/** How many times the mean the busiest has; `workers` in all, some of which may have nothing to do. */
export function busiestOverMean(counts, workers) {
  return Math.max(...counts) / (sum(counts) / workers);
}
