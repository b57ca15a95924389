/**
 * Runs in the master. Forks one worker through node:cluster, as the user and with the umask that its generation has. Both are the process's own at the
 * fork: the master takes them on for that one synchronous call, and nothing else of it runs meanwhile.
 */
import type { ClusterSettings, Worker } from 'node:cluster';
import cluster from 'node:cluster';
import type { Identity } from '../shared/identity.js';
import { asUser } from './as-user.js';

export interface Rights {
  /** Null: as the master. */
  identity: Identity | null;
  /** Octal digits; null: the master's. */
  umask: string | null;
}

/** @throws what fork throws */
export function forkWorker(
  { exec, args, execArgv, cwd }: { exec: string; args: string[]; execArgv: string[]; cwd: string },
  stdio: NonNullable<ClusterSettings['stdio']>,
  env: NodeJS.ProcessEnv,
  { identity, umask }: Rights,
): Worker {
  const node = process.execPath;
  const started = asUser(identity, node, execArgv, env);
  cluster.setupPrimary({
    exec,
    args,
    execArgv: started.args,
    cwd,
    stdio,
    // Undefined takes the last generation's away.
    ...({ uid: started.uid, gid: started.gid } as Pick<ClusterSettings, 'uid' | 'gid'>),
  });
  const ownUmask = umask === null ? null : process.umask(Number.parseInt(umask, 8));
  try {
    // node:cluster has no setting for what it executes, and takes this.
    process.execPath = started.file;
    return cluster.fork(started.env);
  } finally {
    process.execPath = node;
    if (ownUmask !== null) process.umask(ownUmask);
  }
}
