/** Runs in the planner. Reads a config file: JSON as data, everything else by importing it. */
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ErrorCode } from '../../shared/errors.js';
import { ZdsupError } from '../../shared/errors.js';

/**
 * What the file exports, as plain data.
 * @throws ZdsupError ZDSUP_CONFIG_THREW, _EMPTY, _INVALID
 */
export async function loadConfigFile(path: string): Promise<unknown> {
  if (extname(path) === '.json') return readJson(path);
  const value = await importDefault(path);
  if (value === undefined || value === null || isEmptyModule(value))
    throw failed(
      'ZDSUP_CONFIG_EMPTY',
      `${path} exports nothing`,
      `export the config: export default { script: 'app.js' }`,
    );
  const code = findCode(value, '');
  if (code !== null)
    throw failed(
      'ZDSUP_CONFIG_INVALID',
      `${basename(path)}: ${code}`,
      'allowed: plain data (strings, numbers, booleans, lists, objects)',
    );
  return value;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw failed('ZDSUP_CONFIG_THREW', `${path}: ${(error as Error).message}`, 'mend the JSON');
  }
}

async function importDefault(path: string): Promise<unknown> {
  try {
    return await ((await import(pathToFileURL(path).href)) as { default?: unknown }).default;
  } catch (error) {
    const place = placeOf(error, path);
    throw failed(
      'ZDSUP_CONFIG_THREW',
      `${path} threw ${messageOf(error)}${place ? ` (${place})` : ''}`,
      'mend the config file',
    );
  }
}

/** A CommonJS file that sets no exports has an empty object as its default. */
function isEmptyModule(value: unknown): boolean {
  return typeof value === 'object' && Object.keys(value as object).length === 0;
}

/** What is no data and could not be pinned, in words. */
function findCode(value: unknown, key: string): string | null {
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
    return `${key || 'the export'} is a ${typeof value}`;
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, inner] of Object.entries(value)) {
    const found = findCode(inner, key === '' ? name : `${key}.${name}`);
    if (found !== null) return found;
  }
  return null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);
}

/** File and line, from the stack: in the user's file where it is in there. */
function placeOf(error: unknown, path: string): string | null {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const own = stack.split('\n').find((line) => line.includes(path));
  return (own ?? '').match(/(?:file:\/\/)?([^\s()]+:\d+)(?::\d+)?\)?$/)?.[1] ?? null;
}

const failed = (code: ErrorCode, message: string, hint: string): ZdsupError =>
  new ZdsupError({ code, message, hint, exitStatus: 2 });
