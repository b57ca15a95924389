/** Runs in the CLI. `zdsup history [app] [id]`: the rollouts that the journal tells of, or one of them step by step. Asks no master. */
import type { FoundJournal } from '../../client/journal.js';
import { readJournal } from '../../client/journal.js';
import type { KnownApp } from '../../client/known-apps.js';
import { chooseKnown, nameForHints } from '../../client/known-apps.js';
import { ZdsupError } from '../../shared/errors.js';
import type { PastRollout } from '../../shared/rollout-history.js';
import { rolloutsIn } from '../../shared/rollout-history.js';
import { renderHistory, renderRollout } from '../render/history.js';

interface AppHistory {
  app: string;
  rollouts: PastRollout[];
  unreadableLines: number;
}

/** @param operands `shop`, `12` or `shop 12`: names begin with a letter, so they cannot be mistaken for each other */
export async function history(operands: string[], options: { count: number; json: boolean }): Promise<number> {
  const { name, id } = await read(operands);
  const found = (await chooseKnown(name)).map(historyOf);
  if (id !== null) showOne(found[0]!, id, options.json);
  else showAll(found, name === 'all', options);
  return 0;
}

async function read(operands: string[]): Promise<{ name: string | undefined; id: number | null }> {
  const last = operands.at(-1);
  const id = last !== undefined && /^\d{1,15}$/.test(last) ? Number(last) : null;
  const rest = id === null ? operands : operands.slice(0, -1);
  if (rest.length > 1 || rest.some((word) => /^\d|^-/.test(word)) || (id !== null && rest[0] === 'all')) {
    const app = await nameForHints();
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `history: ${operands.join(' ')} is no app and no rollout`,
      hint: `zdsup history ${app}, zdsup history ${app} 12`,
      exitStatus: 2,
    });
  }
  return { name: rest[0], id };
}

function historyOf(app: KnownApp): AppHistory {
  const journal = readJournal(app);
  warnOf(journal);
  return {
    app: app.name,
    rollouts: rolloutsIn(journal.entries, app.running !== null),
    unreadableLines: journal.faults,
  };
}

/** Whatever is readable is shown all the same. */
export function warnOf({ path, faults }: FoundJournal): void {
  if (faults === 0) return;
  const lines = faults === 1 ? '1 line cannot be read and is' : `${faults} lines cannot be read and are`;
  process.stderr.write(`warning: ${path}: ${lines} left out\n`);
}

function showAll(found: AppHistory[], isAll: boolean, { count, json }: { count: number; json: boolean }): void {
  const shown = found.map((one) => ({ ...one, rollouts: one.rollouts.slice(0, count) }));
  if (json) {
    // The entries of one are had by its id.
    const brief = shown.map((one) => ({ ...one, rollouts: one.rollouts.map(({ entries: _, ...rest }) => rest) }));
    process.stdout.write(`${JSON.stringify(isAll ? { apps: brief } : brief[0], null, 2)}\n`);
    return;
  }
  const columns = process.stdout.columns as number | undefined;
  const parts = shown.map(({ app, rollouts }) => renderHistory(app, rollouts, Date.now(), columns));
  process.stdout.write(`${parts.join('\n\n')}\n`);
}

function showOne({ app, rollouts }: AppHistory, id: number, json: boolean): void {
  const rollout = rollouts.find((one) => one.id === id);
  if (!rollout) {
    const [newest, oldest] = [rollouts[0]?.id, rollouts.at(-1)?.id];
    throw new ZdsupError({
      code: 'ZDSUP_ROLLOUT_UNKNOWN',
      message: `the journal of ${app} has no rollout ${id}${newest === undefined ? ', and no other' : `: it has ${oldest} to ${newest}`}`,
      hint: `zdsup history ${app}`,
      exitStatus: 2,
    });
  }
  process.stdout.write(`${json ? JSON.stringify({ app, ...rollout }, null, 2) : renderRollout(app, rollout)}\n`);
}
