/** Runs in the master. The metrics in Prometheus' text format, as prom-client writes it. Loaded at the first scrape. */
import type { Metric as PromMetric } from 'prom-client';
import Registry from 'prom-client/lib/registry.js';
import type { Scrape } from './metrics.js';
import { METRICS } from './metrics.js';

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Its own classes count by themselves; what is told here is counted already, so that each metric only says what its values are. */
export function exposition(scrape: Scrape): Promise<string> {
  const registry = new Registry();
  for (const { name, type, help, values } of METRICS) {
    const found = values(scrape);
    if (found.length === 0) continue; // Of a metric without a value, nothing is said.
    const get = () => Promise.resolve({ name, type, help, values: found, aggregator: 'sum' });
    registry.registerMetric({ name, get } as unknown as PromMetric);
  }
  return registry.metrics();
}
