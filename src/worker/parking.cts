/**
 * Runs in the worker. Parked: alive and ready, but without new traffic, as the way back. What it has open moves to those who serve or
 * ends in its own time, as in a drain without a deadline; nothing is cut.
 */
import { giveAllAway, giveIdle, keepTheRest } from './handover.cjs';
import { finishFarewell, sayFarewell } from './http2-farewell.cjs';
import { acceptAgain, releaseForNow } from './listen-seam.cjs';
import { stopReporting } from './load.cjs';
import { letStay, sendAway } from './send-away.cjs';

/** How often it looks whether something has become idle, in ms. */
const LOOK_MS = 100;

let looking: NodeJS.Timeout | null = null;
/** Sessions of HTTP/2 that were being told to leave when it was unparked. */
let finishing: NodeJS.Timeout | null = null;

export function park(): void {
  if (looking) return;
  stopFinishing();
  stopReporting();
  releaseForNow();
  giveAllAway();
  sendAway();
  looking = setInterval(look, LOOK_MS).unref();
}

/** It is about to take traffic again. Comes ahead of the sockets that it accepts from. */
export function unpark(): void {
  if (!looking) return;
  endParking();
  keepTheRest();
  letStay();
  acceptAgain();
  finishing = setInterval(() => {
    if (!finishFarewell(performance.now())) stopFinishing();
  }, LOOK_MS).unref();
}

/** A drain takes over. */
export function endParking(): void {
  if (looking) clearInterval(looking);
  looking = null;
  stopFinishing();
}

function stopFinishing(): void {
  if (finishing) clearInterval(finishing);
  finishing = null;
}

function look(): void {
  giveIdle();
  sayFarewell(performance.now(), false);
}
