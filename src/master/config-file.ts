/** Runs in the master. Reads a config file: JSON here, everything else in a child that returns plain data. */
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONFIG_FILE_NAMES } from '../shared/config-file-names.js';
import type { ErrorCode } from '../shared/errors.js';
import { ZdsupError } from '../shared/errors.js';
import type { Evaluated } from './config-evaluator.js';
import { typescriptArgs } from './typescript-entry.js';

const EVALUATOR = fileURLToPath(new URL('config-evaluator.js', import.meta.url));
/** A config that has not returned by then never will, in ms. */
const TIMEOUT_MS = 10_000;

/** The config file of a folder, where it has one. */
export function findConfigFile(folder: string): string | undefined {
  return CONFIG_FILE_NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/**
 * What the file exports, as plain data.
 * @throws ZdsupError ZDSUP_CONFIG_MISSING, _THREW, _EXITED, _TIMEOUT, _EMPTY, _INVALID
 */
export async function loadConfigFile(path: string): Promise<unknown> {
  if (!existsSync(path)) throw failed('ZDSUP_CONFIG_MISSING', `no such config file: ${path}`, 'check the path');
  return extname(path) === '.json' ? readJson(path) : evaluate(path);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw failed('ZDSUP_CONFIG_THREW', `${path}: ${(error as Error).message}`, 'mend the JSON');
  }
}

async function evaluate(path: string): Promise<unknown> {
  const child = fork(EVALUATOR, [path], {
    cwd: dirname(path),
    execArgv: typescriptArgs(path),
    // What the file prints is shown, but is not the app's output.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const result = await new Promise<Evaluated | 'exited' | 'timeout'>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), TIMEOUT_MS);
      child.once('message', (message) => resolve(message as Evaluated));
      child.once('error', () => resolve('exited'));
      child.once('exit', () => resolve('exited'));
    });
    return unwrap(result, path);
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

function unwrap(result: Evaluated | 'exited' | 'timeout', path: string): unknown {
  const name = basename(path);
  if (result === 'exited')
    throw failed(
      'ZDSUP_CONFIG_EXITED',
      `${path} ended the process instead of exporting a config`,
      'take process.exit() out of it',
    );
  if (result === 'timeout')
    throw failed(
      'ZDSUP_CONFIG_TIMEOUT',
      `${path} did not return within ${TIMEOUT_MS / 1000} s`,
      'a config exports data; take out what it waits for',
    );
  switch (result.kind) {
    case 'config':
      return result.value;
    case 'empty':
      throw failed(
        'ZDSUP_CONFIG_EMPTY',
        `${path} exports nothing`,
        `export the config: export default { script: 'app.js' }`,
      );
    case 'not-data':
      throw failed(
        'ZDSUP_CONFIG_INVALID',
        `${name}: ${result.key} is a ${result.type}`,
        'allowed: plain data (strings, numbers, booleans, lists, objects)',
      );
    case 'threw':
      throw failed(
        'ZDSUP_CONFIG_THREW',
        `${path} threw ${result.message}${result.at ? ` (${result.at})` : ''}`,
        'mend the config file',
      );
  }
}

const failed = (code: ErrorCode, message: string, hint: string): ZdsupError =>
  new ZdsupError({ code, message, hint, exitStatus: 2 });
