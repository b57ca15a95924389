/** Of every log that is kept and says nothing else (data alone). */
import type { LogRotation } from './config.js';

export const DEFAULT_ROTATION: LogRotation = { maxSizeBytes: 10 * 2 ** 20, maxAgeMs: null, keep: 5, compress: true };
