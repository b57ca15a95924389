/** What a person may order here: when it makes sense, what it does in words, and the command it stands for. Pure. */
import type { Order } from '../../shared/dashboard-protocol.js';
import type { AppSnapshot, RolloutSnapshot } from '../../shared/snapshot.js';
import { counted, grouped } from './format.js';

export const BUTTONS = ['reload', 'scale', 'rollback', 'canary', 'pause', 'promote', 'abort'] as const;
export type ButtonName = (typeof BUTTONS)[number];

/** Why it makes no sense now; null where it does. What the page cannot know, the master refuses with its reason. */
export function whyNot(name: ButtonName, app: AppSnapshot): string | null {
  if (app.state === 'stopping') return 'the app is being stopped';
  if (app.state === 'starting' || app.generation === null) return 'no generation serves yet';
  if (app.state !== 'running' && app.state !== 'crash-looping') return 'its master does not run';
  const rollout = app.rollout?.outcome === null ? app.rollout : null;
  switch (name) {
    case 'reload':
      return rollout ? 'a rollout is under way' : null;
    case 'scale':
      if (rollout) return 'a rollout is under way';
      return app.release?.modified ? 'the folder was edited in place: reload first' : null;
    case 'rollback':
      if (rollout?.kind === 'rollback') return 'it is going back already';
      if (rollout) return givenUp(rollout);
      return app.noWayBack ? 'nothing that was good before is known' : null;
    case 'abort':
      return rollout ? givenUp(rollout) : 'no rollout is under way';
    case 'canary':
    case 'promote':
      return isHeld(rollout) ? null : 'no canary is held';
    case 'pause':
      if (!isHeld(rollout)) return 'no canary is held';
      return (rollout?.canary?.until ?? null) === null ? 'it waits for a person already' : null;
    default:
      return name satisfies never;
  }
}

function givenUp({ step, from }: RolloutSnapshot): string | null {
  if (step === 'aborting') return 'it is being given up already';
  return from === null ? 'there is nothing to go back to' : null;
}

const isHeld = (rollout: RolloutSnapshot | null): boolean => rollout?.step === 'canary' && rollout.weight !== null;

export const LABELS: Record<ButtonName, string> = {
  reload: 'Reload',
  scale: 'Scale',
  rollback: 'Roll back',
  canary: 'Weight',
  pause: 'Pause',
  promote: 'Promote',
  abort: 'Abort',
};

/** Of the question. */
export function titleOf(name: ButtonName, { name: app, rollout }: AppSnapshot): string {
  const coming = comingOf(rollout);
  const titles: Record<ButtonName, string> = {
    reload: `Reload ${app}?`,
    scale: `Scale ${app}?`,
    rollback: `Roll back ${app}?`,
    canary: `Another weight for ${coming}?`,
    pause: `Pause ${coming} where it is?`,
    promote: `Promote ${coming}?`,
    abort: `Abort the rollout${toWhat(rollout)}?`,
  };
  return titles[name];
}

/** It has no number before it is prepared. */
const comingOf = (rollout: RolloutSnapshot | null): string =>
  rollout?.to == null ? 'the new generation' : `generation ${rollout.to}`;

const toWhat = (rollout: RolloutSnapshot | null): string => (rollout?.to == null ? '' : ` to generation ${rollout.to}`);

/** The command as it is typed. */
export function commandOf(app: string, order: Order): string {
  switch (order.command) {
    case 'reload':
      return words(
        'reload',
        app,
        order.noCanary && '--no-canary',
        order.weight !== undefined && `--weight ${order.weight}`,
      );
    case 'restart':
      return words('restart', app);
    case 'canary':
      return words('canary', app, String(order.weight));
    case 'promote':
      return words('promote', app, order.full && '--full');
    case 'rollback':
      return words('rollback', app, order.to !== undefined && `--to ${order.to}`);
    case 'scale':
      return words('scale', app, order.to);
    case 'pause':
    case 'abort':
      return words(order.command, app);
    default:
      return order satisfies never;
  }
}

const words = (...parts: (string | false | undefined)[]): string =>
  ['zdsup', ...parts].filter((part) => part !== false && part !== undefined).join(' ');

/** What will happen, in a sentence or two. */
export function wordsOf(name: ButtonName, app: AppSnapshot): string {
  const { rollout } = app;
  const coming = comingOf(rollout);
  switch (name) {
    case 'reload':
      return 'Brings in new code, config and env files beside what serves. No request is lost, and a bad release is given up.';
    case 'scale':
      return 'Runs another number of workers. It stands until the number in the config is edited.';
    case 'rollback':
      return rollout?.outcome === null
        ? `Gives up the rollout${toWhat(rollout)}. ${serves(app)}`
        : 'Goes back to what was good before, at once where that is still parked.';
    case 'canary':
      return `Gives ${coming} another part of the new connections. ${rollout?.canary ? 'Its steps wait from then on. ' : ''}100 promotes it.`;
    case 'pause':
      return `Holds ${coming} at ${rollout?.weight ?? 0} % of the traffic, until it is promoted or aborted.`;
    case 'promote':
      return rollout?.canary && rollout.canary.step < rollout.canary.steps
        ? `Takes ${coming} to its next step, without waiting for time or verdict.`
        : `Gives ${coming} all the traffic. The old workers finish what is in flight and leave.`;
    case 'abort':
      return `Gives up the rollout${toWhat(rollout)}. ${serves(app)} No request is lost.`;
    default:
      return name satisfies never;
  }
}

const serves = ({ rollout, generation }: AppSnapshot): string =>
  `Generation ${rollout?.from ?? generation} goes on serving everything.`;

/** Of whole numbers between two bounds, both included; null for anything else. */
export function wholeNumber(text: string, least: number, most: number): number | null {
  if (!/^\d{1,6}$/.test(text.trim())) return null;
  const value = Number(text);
  return value >= least && value <= most ? value : null;
}

/** Of what was typed; a string says why that makes no order. */
export function scaleTo(text: string, app: AppSnapshot): Order | string {
  const count = wholeNumber(text, 1, MOST_WORKERS);
  if (count === null) return `allowed is a whole number from 1 to ${grouped(MOST_WORKERS)}`;
  return count === workersWanted(app)
    ? `it has ${counted(count, 'worker')} already`
    : { command: 'scale', to: String(count) };
}

/** As {@link scaleTo}. */
export function weightTo(text: string, { rollout }: AppSnapshot): Order | string {
  const weight = wholeNumber(text, 0, 100);
  if (weight === null) return 'allowed is a whole number from 0 to 100';
  return weight === rollout?.weight ? `${comingOf(rollout)} gets ${weight} % already` : { command: 'canary', weight };
}

/** As zdsup itself allows. */
export const MOST_WORKERS = 1_024;

/** Of the serving generation: how many slots it fills. */
export const workersWanted = (app: AppSnapshot): number =>
  new Set(
    app.workers
      .filter(({ generation, state }) => generation === app.generation && state !== 'draining')
      .map(({ slot }) => slot),
  ).size;
