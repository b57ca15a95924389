/** How people are told which worker is meant. Pure. */
import type { Worker } from './types.js';

export const nameOf = (worker: Worker): string => `worker ${worker.slot} of generation ${worker.generation}`;

export const where = (worker: Worker): { generation: number; slot: number; pid?: number } => ({
  generation: worker.generation,
  slot: worker.slot,
  ...(worker.pid === null ? {} : { pid: worker.pid }),
});

export const plural = (count: number, word: string): string => (count === 1 ? word : `${word}s`);
