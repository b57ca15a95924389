// The load process: does one job that its parent sends, until it is over or the parent says stop, and answers with what it saw.
// It is no descendant of a runner, so its CPU counts for none.
import { once } from 'node:events';
import { latency } from './latency.js';
import { losses } from './losses.js';
import { throughput } from './throughput.js';

const JOBS = { latency, losses, throughput };

const [{ job, options }] = await once(process, 'message');
const result = await JOBS[job](options, once(process, 'message'));
process.send(result, () => process.exit(0));
