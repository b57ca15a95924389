/** Runs in the page. A view shows its part of the model, each time anew, and writes only what differs. */
import type { Model } from '../model.js';

export type View = (model: Model) => void;
