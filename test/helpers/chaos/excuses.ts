/**
 * Which losses a killed worker explains. A loss is excused where the journal says that a process had begun with the request, or
 * had its connection, and that process was ended by us before. Nothing else is, but for one thing that no journal can
 * have: the connection that a worker had taken, from the kernel or from another worker, when it was killed, and not noted yet. That is one for each kill.
 */
import type { Loss } from './clients.js';
import type { Journal } from './journal.js';

/** From a signal to what the client sees of it, on a busy machine, in ms. */
const SEEN_WITHIN_MS = 2_000;

export interface Judgement {
  excused: Loss[];
  unexcused: (Loss & { verdict: string })[];
}

/** @param endedAt when each process was killed, by pid */
export function judgeLosses(losses: Loss[], journal: Journal, endedAt: Map<number, number>): Judgement {
  const judgement: Judgement = { excused: [], unexcused: [] };
  const unused = new Map(endedAt);
  for (const loss of losses) {
    const verdict = verdictOn(loss, journal, endedAt, unused);
    if (verdict === null) judgement.excused.push(loss);
    else judgement.unexcused.push({ ...loss, verdict });
  }
  return judgement;
}

/** Null where it is excused. */
function verdictOn(
  { id, why, port, openedAt, lostAt }: Loss,
  journal: Journal,
  endedAt: Map<number, number>,
  unused: Map<number, number>,
): string | null {
  if (port === null) return 'no connection was had';
  if (why === 'hung') return 'it hangs';
  if (!/ECONNRESET|EPIPE|connection closed under a request/.test(why)) return 'another answer than was asked for';
  const began = journal.beganWith(id);
  const pid = began ?? journal.had(port, openedAt, lostAt);
  const at = endedAt.get(pid ?? -1);
  if (at !== undefined && at <= lostAt) return null;
  const killed = [...unused].find(([, when]) => lostAt >= when && lostAt - when <= SEEN_WITHIN_MS);
  if (began === undefined && killed) {
    unused.delete(killed[0]);
    return null;
  }
  if (pid === undefined) return 'nobody had it';
  return at === undefined
    ? `process ${pid} had it, which nobody has killed`
    : `process ${pid} had it, which was killed ${at - lostAt} ms later`;
}
