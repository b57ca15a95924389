/**
 * Runs in the master. The smoke test of one worker that takes no traffic yet: a script of the user's, with a URL that reaches
 * that worker alone. Its whole process group ends with it.
 */
import { spawn } from 'node:child_process';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { keepNonBlocking } from '../node-internals/stdio.cjs';
import type { SmokeConfig } from '../shared/config.js';
import type { ListenSpec } from '../shared/messages.cjs';
import { formatDuration } from '../shared/units.js';
import { asUser } from './as-user.js';
import type { Plan } from './plan.js';
import { eachLine, LAST_WORDS_MS } from './worker-output.js';

/** Lines kept of what the script writes. */
const KEPT_LINES = 20;
/** Of a command that could not be started, in characters. */
const NAMED_LENGTH = 200;

export interface SmokeTarget {
  key: string;
  protocol: ListenSpec['protocol'];
  worker: { deliver(key: string, socket: Socket): void };
}

export interface SmokeTest {
  /** Null where the script exited 0. Never rejects. */
  ended: Promise<null | { reason: string; lines: string[] }>;
  stop(): void;
}

/** @param target where the worker is reached; undefined: it listens on nothing, and the script gets no URL */
export function startSmokeTest(plan: Plan, smoke: SmokeConfig, target: SmokeTarget | undefined): SmokeTest {
  let end: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    end = resolve;
  });
  const ended = run(plan, smoke, target, stopped).catch((error: Error) => ({
    // No descriptor, no memory, a command that no process can be given: the rollout's failure, never the master's.
    reason: `${smoke.run.slice(0, NAMED_LENGTH)} could not be started: ${error.message}`,
    lines: [],
  }));
  return { ended, stop: () => end() };
}

async function run(
  plan: Plan,
  smoke: SmokeConfig,
  target: SmokeTarget | undefined,
  stopped: Promise<void>,
): Promise<null | { reason: string; lines: string[] }> {
  const gateway = target && (await openGateway(target));
  try {
    return await runScript(plan, smoke, gateway?.url, stopped);
  } finally {
    gateway?.close();
  }
}

async function runScript(
  plan: Plan,
  smoke: SmokeConfig,
  url: string | undefined,
  stopped: Promise<void>,
): Promise<null | { reason: string; lines: string[] }> {
  const lines: string[] = [];
  const variables = { ...plan.env, ...(url === undefined ? {} : { ZDSUP_CHECK_URL: url }) };
  // As Node's `shell: true` has it; as the workers' user, whose scripts it runs.
  const { file, args, env, uid, gid } = asUser(plan.identity, '/bin/sh', ['-c', smoke.run], variables);
  const child = spawn(file, args, {
    cwd: plan.cwd,
    env,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // A process group of its own: what the script has started ends with it.
  });
  keepNonBlocking(process.stderr);
  const note = (line: string): void => {
    process.stderr.write(`${line}\n`);
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  };
  eachLine(child.stdout, note);
  eachLine(child.stderr, note);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let timer: NodeJS.Timeout | undefined;
  const reason = await new Promise<string | null>((resolve) => {
    timer = setTimeout(
      () => resolve(`${smoke.run} did not end within ${formatDuration(smoke.timeoutMs)}`),
      smoke.timeoutMs,
    );
    child.on('error', (error) => resolve(`${smoke.run} could not be started: ${error.message}`));
    child.on('exit', (code, signal) =>
      resolve(code === 0 ? null : `${smoke.run} ${signal ? `was killed by ${signal}` : `exited with code ${code}`}`),
    );
    void stopped.then(() => resolve('it was given up'));
  });
  clearTimeout(timer);
  if (child.pid !== undefined) {
    killGroup(child.pid);
    await atMost(LAST_WORDS_MS, closed); // Its last lines may still be in the pipes; who has left the group may hold them open.
  }
  return reason === null ? null : { reason, lines: [...lines] };
}

async function atMost(ms: number, settled: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([settled, late]);
  clearTimeout(timer);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

/** A port on loopback whose every connection goes to that worker. */
async function openGateway({ key, protocol, worker }: SmokeTarget): Promise<{ url: string; close(): void }> {
  const open = new Set<Socket>();
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    worker.deliver(key, socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  const secure = protocol === 'https' || protocol === 'tls';
  return {
    url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
    close() {
      server.close();
      // What a blocked worker has not taken waits in its channel, and would stay there when the worker dies.
      for (const socket of open) socket.destroy();
    },
  };
}
