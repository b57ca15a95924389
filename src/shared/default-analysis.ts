/** How a canary is judged where its config does not say; the master judges by it without the schema library. */
import type { AnalysisConfig } from './config.js';

export const DEFAULT_ANALYSIS: AnalysisConfig = {
  minRequests: 100,
  maxErrorRate: null,
  maxP99Ms: null,
  maxRestarts: null,
  tolerance: 0.2,
  errorTolerance: 0.0005,
  latencyToleranceMs: 1,
  inconclusive: 'wait',
};
