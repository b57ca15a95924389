/** All that the core promises at every step. */
import type { Pledge } from './pledge.js';
import * as ofCapacity from './pledges-capacity.js';
import * as ofEvents from './pledges-events.js';
import * as ofRouting from './pledges-routing.js';
import * as ofWays from './pledges-ways.js';
import * as ofWorkers from './pledges-workers.js';

export const PLEDGES: Record<string, Pledge> = { ...ofCapacity, ...ofEvents, ...ofRouting, ...ofWays, ...ofWorkers };
