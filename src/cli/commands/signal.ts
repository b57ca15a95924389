/** Runs in the CLI. `zdsup signal [app] <signal>`: to the workers; the answer says which of them got it. */
import { constants } from 'node:os';
import { chooseApps } from '../../client/apps.js';
import { ZdsupError } from '../../shared/errors.js';
import { signalNamed } from '../../shared/signal-names.js';
import { carryOut } from './carry-out.js';

export async function signal(words: string[], { json }: { json: boolean }): Promise<number> {
  const [app, word] = words.length === 1 ? [undefined, words[0]!] : [words[0], words[1]!];
  if (words.length > 2)
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `too many words: ${words.join(' ')}`,
      hint: 'zdsup signal [app] <signal>, such as zdsup signal shop USR2',
      exitStatus: 2,
    });
  const name = signalNamed(word, constants.signals); // Judged before anybody is asked.
  return carryOut(
    await chooseApps(app),
    { command: 'signal', signal: name },
    { json, verb: 'signal', all: app === 'all' },
  );
}
