/** Signals by the names and numbers people type. Pure: the table of the system is handed in. */
import { ZdsupError } from './errors.js';
import { nearestWord } from './nearest.js';

/** A process that stands still keeps its connections waiting, and nothing tells that it does. */
const STANDSTILL = ['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'];

/**
 * @param word `SIGUSR2`, `usr2` or `12`
 * @param known `os.constants.signals`
 * @returns its full name
 * @throws ZdsupError ZDSUP_SIGNAL_UNKNOWN, ZDSUP_SIGNAL_REFUSED (exit 2)
 */
export function signalNamed(word: string, known: Readonly<Record<string, number>>): string {
  const upper = word.toUpperCase();
  const name = /^\d+$/.test(word)
    ? Object.keys(known).find((candidate) => known[candidate] === Number(word))
    : [upper, `SIG${upper}`].find((candidate) => candidate in known);
  if (name === undefined) throw unknown(word, upper, known);
  if (!STANDSTILL.includes(name)) return name;
  throw new ZdsupError({
    code: 'ZDSUP_SIGNAL_REFUSED',
    message: `${name} would make the workers stand still, with their connections`,
    hint: `for one process: kill -${name.slice(3)} <pid>, then kill -CONT <pid>`,
    exitStatus: 2,
  });
}

function unknown(word: string, upper: string, known: Readonly<Record<string, number>>): ZdsupError {
  const near = nearestWord(
    upper.replace(/^SIG/, ''),
    Object.keys(known).map((name) => name.slice(3)),
  );
  return new ZdsupError({
    code: 'ZDSUP_SIGNAL_UNKNOWN',
    message: `there is no signal ${word === '' ? "''" : word}`,
    hint: near === undefined || word === '' ? 'kill -l lists them' : `did you mean ${near}? kill -l lists them`,
    exitStatus: 2,
  });
}
