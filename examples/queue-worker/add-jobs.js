// Puts jobs into the queue: node add-jobs.js 20
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const waiting = join(resolve(process.env.QUEUE ?? 'queue'), 'waiting');
mkdirSync(waiting, { recursive: true });
for (let n = 1; n <= Number(process.argv[2] ?? 20); n++)
  writeFileSync(join(waiting, `job-${Date.now()}-${String(n).padStart(4, '0')}`), '');
