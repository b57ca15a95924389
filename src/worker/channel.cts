/** Runs in the worker. The IPC channel to the master: sends, and hands messages to those who asked for them. Owns no state of the app's. */
import { sendToMaster } from '../node-internals/ipc-channel.cjs';
import type { MasterMessage, WorkerMessage } from '../shared/messages.cjs';
import { CMD } from '../shared/messages.cjs';

type Body = WorkerMessage extends infer M ? (M extends WorkerMessage ? Omit<M, 'cmd'> : never) : never;

/** Says it to the master; a master that is gone is no error, its workers drain by themselves. */
export function tell(body: Body, handle?: unknown, sent?: () => void): void {
  sendToMaster({ cmd: CMD, ...body }, handle, sent);
}

export function onMasterMessage(listener: (message: MasterMessage, handle: unknown) => void): void {
  (process as NodeJS.EventEmitter).on('internalMessage', (message: { cmd?: string }, handle: unknown) => {
    if (message.cmd === CMD) listener(message as MasterMessage, handle);
  });
}
