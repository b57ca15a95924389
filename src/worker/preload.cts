/**
 * Runs first in every worker (`--require`), before the app: puts the listen seam, the signal shield and the drain in place.
 * Also loaded in worker threads and forked children of the app, where it does nothing: the handshake is gone by then.
 */
import { freeFromCluster, missingSeam } from '../node-internals/cluster-seam.cjs';
import type { ConnectionHandle } from '../node-internals/connection-handle.cjs';
import { keepChannel, missingChannel } from '../node-internals/ipc-channel.cjs';
import { missingServerHandle } from '../node-internals/server-handle.cjs';
import type { Handshake, MasterMessage } from '../shared/messages.cjs';
import { HANDSHAKE_VARIABLE } from '../shared/messages.cjs';
import { VERSION } from '../shared/version.cjs';
import { grant, revoke, revokeAll, take, takeAsked } from './adoption.cjs';
import { onMasterMessage, tell } from './channel.cjs';
import { figures, installDrain, retire } from './drain.cjs';
import { keepFigures, withFigures } from './figures.cjs';
import { give, installHandover, takeAllBack, taken, untaken } from './handover.cjs';
import { onceIdle } from './idle.cjs';
import { handleListenMessage, installListenSeam } from './listen-seam.cjs';
import { reportLoad, tellLoad } from './load.cjs';
import { observe } from './observe.cjs';
import { shieldOutput } from './output.cjs';
import { park, unpark } from './parking.cjs';
import { rehearse } from './rehearsal.cjs';
import { emitToTheApp, isHeard, shieldSignals } from './signals.cjs';
import { shieldHeldPaths } from './unix-paths.cjs';

const offered = process.env[HANDSHAKE_VARIABLE];
if (offered !== undefined) {
  delete process.env[HANDSHAKE_VARIABLE];
  start(JSON.parse(offered) as Handshake);
}

function start(handshake: Handshake): void {
  if (handshake.version !== VERSION)
    refuse(
      `the master runs zdsup ${handshake.version}, the files on disk are ${VERSION}: restart the master to finish the upgrade (ZDSUP_VERSION_MISMATCH)`,
    );
  const missing = missingSeam() ?? missingServerHandle() ?? missingChannel();
  if (missing !== null) refuse(`Node ${process.version} has no ${missing}: this zdsup does not support it`);

  freeFromCluster();
  shieldSignals();
  shieldOutput(handshake.keptOutput);
  if (handshake.holdsUnixSockets || handshake.inheritedPaths.length > 0) shieldHeldPaths(handshake.inheritedPaths);
  installListenSeam(handshake);
  installDrain(handshake);
  installHandover(handshake);
  onMasterMessage((message, handle) => {
    if (!handleListenMessage(message, handle)) obey(message, handle);
  });
  // Orphaned: nobody can replace this worker, what is in flight is still owed an answer.
  keepChannel({
    orphaned: () => {
      revokeAll();
      takeAllBack();
      retire({ deadlineMs: handshake.drainTimeoutMs, closeIdle: true, handover: false });
    },
    leaving: () => tell({ act: 'leaving' }),
  });
  tell({ act: 'hello', version: VERSION });
  onceIdle(() => tell({ act: 'idle' }));
}

function obey(message: MasterMessage, handle: unknown): void {
  switch (message.act) {
    case 'activate':
      tell({ act: 'activated' });
      reportLoad();
      break;
    case 'park':
      park();
      break;
    case 'unpark':
      unpark();
      break;
    case 'retire':
      retire(message);
      break;
    case 'ping':
      tell({ act: 'pong', seq: message.seq });
      break;
    case 'stats':
      withFigures((added) => tell({ act: 'stats', seq: message.seq, ...figures(), ...added }));
      break;
    case 'signal':
      // Answered first: the app's handler may end the process.
      tell({ act: 'signalled', seq: message.seq, heard: isHeard(message.signal) });
      emitToTheApp(message.signal);
      break;
    case 'observe':
      observe(message.on, message.loop);
      break;
    case 'figures':
      keepFigures(message.on);
      break;
    case 'rehearse':
      rehearse(handle as ConnectionHandle);
      break;
    case 'take':
      take(message, handle as ConnectionHandle);
      break;
    case 'take-asked':
      takeAsked(message.id);
      break;
    case 'grant':
      grant(message.id);
      break;
    case 'revoke':
      revoke(message.id);
      break;
    case 'count':
      tellLoad();
      break;
    case 'give':
      give(message.count);
      break;
    case 'taken':
      taken(message.seq);
      break;
    case 'untaken':
      untaken(message.seq, message.stays);
      break;
  }
}

function refuse(reason: string): never {
  process.stderr.write(`zdsup: ${reason}\n`);
  process.exit(1);
}
