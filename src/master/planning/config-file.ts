/** Runs in the planner. Reads a config file: JSON as data, everything else by importing it. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ErrorCode } from '../../shared/errors.js';
import { ZdsupError } from '../../shared/errors.js';

/** Of the text in front of a fault V8 quotes so many characters. */
const QUOTED_BEFORE = 10;
/** What a syntax check may take, in ms. */
const CHECK_TIMEOUT_MS = 5_000;

/**
 * What the file exports, as plain data.
 * @throws ZdsupError ZDSUP_CONFIG_THREW, _EMPTY, _INVALID
 */
export async function loadConfigFile(path: string): Promise<unknown> {
  if (extname(path) === '.json') return readJson(path);
  const value = await evaluate(path, async () => {
    const loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
    return await loaded.default;
  });
  if (value === undefined || value === null || isEmptyModule(value))
    throw failed(
      'ZDSUP_CONFIG_EMPTY',
      `${path} exports nothing`,
      `export the config: export default { script: 'app.js' }`,
    );
  const code = await evaluate(path, () => findCode(value, ''));
  if (code !== null)
    throw failed(
      'ZDSUP_CONFIG_INVALID',
      `${path}: ${code}`,
      'allowed: plain data (strings, numbers, booleans, lists, objects)',
    );
  return value;
}

async function readJson(path: string): Promise<unknown> {
  let text = '';
  try {
    text = await readFile(path, 'utf8');
    return JSON.parse(text);
  } catch (error) {
    throw failed('ZDSUP_CONFIG_THREW', `${path}: ${withoutText((error as Error).message, text)}`, 'mend the JSON');
  }
}

/** V8 quotes what stands around the fault, which may be a secret: the line is told in its place. */
function withoutText(message: string, text: string): string {
  const [, what, cut, quoted] = /^(.*?), (\.\.\.)?"([\s\S]*)"(?:\.\.\.)? is not valid JSON$/.exec(message) ?? [];
  if (what === undefined) return message;
  const at = text.indexOf(quoted!) + (cut === undefined ? 0 : QUOTED_BEFORE);
  return `${what}, near line ${text.slice(0, at).split('\n').length}: this is not valid JSON`;
}

async function evaluate<T>(path: string, code: () => T | Promise<T>): Promise<T> {
  try {
    return await code();
  } catch (error) {
    throw threw(path, error);
  }
}

/** The config's own failure. */
export function threw(path: string, error: unknown): ZdsupError {
  const place = placeOf(error, path);
  return failed(
    'ZDSUP_CONFIG_THREW',
    `${path} threw ${messageOf(error)}${place ? ` (${place})` : ''}`,
    /Cannot find (package|module) 'zdsup'/.test(messageOf(error))
      ? 'npm install --save-dev zdsup here, or export the plain object without defineConfig'
      : 'mend the config file',
  );
}

/** A CommonJS file that sets no exports has an empty object as its default. */
function isEmptyModule(value: unknown): boolean {
  return typeof value === 'object' && Object.keys(value as object).length === 0;
}

/** What is no data and could not be pinned, in words. */
function findCode(value: unknown, key: string, above: object[] = []): string | null {
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
    return `${key || 'the export'} is a ${typeof value}`;
  if (typeof value !== 'object' || value === null) return null;
  if (above.includes(value)) return `${key} is the object that it lies in`;
  for (const [name, inner] of Object.entries(value)) {
    const found = findCode(inner, key === '' ? name : `${key}.${name}`, [...above, value]);
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
  const place = (own ?? '').match(/(?:file:\/\/)?([^\s()]+:\d+)(?::\d+)?\)?$/)?.[1] ?? null;
  return place ?? (error instanceof SyntaxError ? placeOfSyntaxError(path) : null);
}

/** Of an ES module Node keeps the place to itself, but for its own --check. */
function placeOfSyntaxError(path: string): string | null {
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8', timeout: CHECK_TIMEOUT_MS });
  return stderr?.split('\n').find((line) => line.startsWith(`${path}:`)) ?? null;
}

const failed = (code: ErrorCode, message: string, hint: string): ZdsupError =>
  new ZdsupError({ code, message, hint, exitStatus: 2 });
