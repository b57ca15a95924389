// All runners, in the order of the tables. A runner starts the app in a place, and gives
//   root     the process whose tree is the runner's
//   reload   its own zero-downtime reload; resolves when it says that it is done
//   stop     ends it in its own way
import { clusterNone, clusterRoundRobin } from './cluster.js';
import { node } from './node.js';
import { pm2 } from './pm2.js';
import { watt } from './watt.js';
import { zdsup, zdsupAlone } from './zdsup.js';

export const runners = [zdsup, zdsupAlone, node, clusterRoundRobin, clusterNone, pm2, watt];
