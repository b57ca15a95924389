/**
 * Runs in the master. Output that is kept in files: a daemon's, and that of an app whose config has `log`. Each worker gets two pipes, which the log
 * process reads; the master itself sees nothing of what they write.
 */
import { closeSync } from 'node:fs';
import type { LogConfig } from '../shared/config.js';
import { DEFAULT_ROTATION } from '../shared/default-rotation.js';
import type { LogTarget } from '../shared/log-messages.js';
import type { LogSnapshot } from '../shared/snapshot.js';
import { LogProcess } from './log-process.js';
import type { PipeEnds } from './pipes.js';
import { makePipes } from './pipes.js';
import type { LastWords } from './worker-output.js';

export interface LogTargets {
  out: LogTarget;
  err: LogTarget;
}

/** Of one worker, from before its fork. */
export interface KeptPipes {
  /** Descriptors for the worker. */
  out: number;
  err: number;
  /** The worker has them by now, or never will. */
  forked(worker: { slot: number; generation: number }): LastWords;
  failed(): void;
}

/**
 * @param log of a config, its paths resolved; null: a daemon's without one
 * @param file where stdout goes unless it is said
 */
export function targetsOf(log: LogConfig | null, file: string): LogTargets {
  const rotation = log?.rotation ?? DEFAULT_ROTATION;
  const out = { file: log?.out ?? file, rotation };
  return { out, err: { file: log?.error ?? out.file, rotation } };
}

export interface KeptOutputOptions {
  app: string;
  /** One of ours, for the names of pipes. */
  folder: string;
  /** The app's file in the state folder. */
  file: string;
  /** Of a daemon, which keeps all of its output: its log process, which reads the master's own too. */
  daemon: LogProcess | null;
  /** What people should know. */
  tell(message: string): void;
}

export class KeptOutput {
  private process: LogProcess | null;
  /** Of the generation that was forked last. */
  private targets: LogTargets | null = null;

  constructor(private readonly options: KeptOutputOptions) {
    this.process = options.daemon;
    this.process?.onTrouble(options.tell);
  }

  /** Where a plan's output is kept; null: nowhere. */
  targetsOf(log: LogConfig | null): LogTargets | null {
    return log === null && this.options.daemon === null ? null : targetsOf(log, this.options.file);
  }

  /**
   * @returns null where that plan's output is not kept
   * @throws where there are no pipes to be had
   */
  open(log: LogConfig | null): KeptPipes | null {
    const targets = this.targetsOf(log);
    if (targets === null) return null;
    const pipes = makePipes(this.options.folder, 2);
    if (pipes === null) throw new Error('mkfifo is not on this host, and the log needs it');
    this.process ??= new LogProcess(this.options.app, this.options.tell);
    this.targets = targets;
    const { process } = this;
    const [out, err] = pipes as [PipeEnds, PipeEnds];
    const close = (...fds: number[]): void => {
      for (const fd of fds) closeSync(fd);
    };
    return {
      out: out.write,
      err: err.write,
      forked({ slot, generation }) {
        close(out.write, err.write);
        process.carry(out.read, { slot, generation }, 'out', targets.out);
        return process.carry(err.read, { slot, generation }, 'err', targets.err);
      },
      failed: () => close(out.write, err.write, out.read, err.read),
    };
  }

  /** For `logrotate` and its like. */
  reopen(): void {
    this.process?.reopen();
  }

  /** As others see it; nothing where nothing is kept. */
  snapshot(): { log?: LogSnapshot } {
    if (this.process === null || this.targets === null) return {};
    const { out, err } = this.targets;
    return { log: { files: [...new Set([out.file, err.file])], ...this.process.outlook } };
  }

  /** All that the master has said is in the file; the log process goes on until its last pipe ends. */
  async close(): Promise<void> {
    if (this.process === null) return;
    await this.process.flush();
    this.process.close();
  }
}
