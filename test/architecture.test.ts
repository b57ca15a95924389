/** The floors of the house (DESIGN section 7), read from the import statements in src, and what must not drift apart. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { VERSION } from '../src/shared/version.cjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SRC = join(ROOT, 'src');

interface Import {
  file: string;
  specifier: string;
  kind: 'value' | 'type' | 'dynamic';
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.[cm]?ts$/.test(name))
  .map((name) => join('src', name))
  .sort();
const imports = sources.flatMap((file) => importsIn(file, read(file)));

/** Every way in which a module of this house names another one. */
function importsIn(file: string, text: string): Import[] {
  const found: Import[] = [];
  const collect = (pattern: RegExp, kindOf: (match: RegExpMatchArray) => Import['kind']): void => {
    for (const match of text.matchAll(pattern)) found.push({ file, specifier: match.at(-1)!, kind: kindOf(match) });
  };
  collect(/^(?:import|export)\s+(type\s+)?(?:[\w$*\s{},]+?\s+from\s+)?'([^']+)'/gm, ([, type]) =>
    type ? 'type' : 'value',
  );
  collect(/^import\s+(type\s+)?\w+\s*=\s*require\('([^']+)'\)/gm, ([, type]) => (type ? 'type' : 'value'));
  collect(/(typeof\s+)?\bimport\('([^']+)'\)/g, ([, type]) => (type ? 'type' : 'dynamic'));
  collect(/(?<!=\s*)\brequire\('([^']+)'\)/g, () => 'dynamic');
  return found;
}

const floorOf = (file: string): string => (dirname(file) === 'src' ? 'index' : file.split('/')[1]!);
const isRelative = ({ specifier }: Import): boolean => specifier.startsWith('.');
const targetFloor = ({ file, specifier }: Import): string => floorOf(relative('.', join(dirname(file), specifier)));
const told = ({ file, specifier, kind }: Import): string => `${file} imports ${specifier} (${kind})`;

/** What each floor may import beside itself. */
const BELOW: Record<string, string[]> = {
  index: ['api', 'shared'],
  api: ['client', 'shared'],
  app: ['shared'],
  cli: ['client', 'releases', 'shared'],
  client: ['shared'],
  master: ['domain', 'shared', 'node-internals', 'releases'],
  logger: ['shared', 'node-internals'],
  releases: ['shared'],
  worker: ['shared', 'node-internals'],
  dashboard: ['shared'],
  domain: ['shared'],
  'node-internals': [],
  shared: [],
};

/** A start, a check, a deploy and a unit's reading of the config run the master, or parts of it, in the command's own process; nothing else of the command knows it. */
const isStartOfTheMaster = (one: Import): boolean =>
  ['start', 'start-for-caller', 'check', 'check-target', 'deploy', 'unit-target'].some(
    (name) => one.file === `src/cli/commands/${name}.ts`,
  ) &&
  one.kind === 'dynamic' &&
  targetFloor(one) === 'master';
const isTypeOfTheGround = (one: Import): boolean =>
  floorOf(one.file) === 'node-internals' && one.kind === 'type' && targetFloor(one) === 'shared';

describe('the reader of imports', () => {
  test.for([
    ["import { a } from './a.js';", 'value'],
    ["import * as v from './a.js';", 'value'],
    ["import type { A } from './a.js';", 'type'],
    ["import {\n  a,\n  b,\n} from './a.js';", 'value'],
    ["import './a.js';", 'value'],
    ["export { a } from './a.js';", 'value'],
    ["export type { A } from './a.js';", 'type'],
    ["export * from './a.js';", 'value'],
    ["import a = require('./a.js');", 'value'],
    ["import type a = require('./a.js');", 'type'],
    ["  const a = await import('./a.js');", 'dynamic'],
    ["type A = typeof import('./a.js');", 'type'],
    ["  return require('./a.js');", 'dynamic'],
  ] as const)('finds %j', ([text, kind]) => {
    expect(importsIn('x.ts', text)).toEqual([{ file: 'x.ts', specifier: './a.js', kind }]);
  });
});

describe('the floors', () => {
  test('are the known ones', () => {
    expect([...new Set(sources.map(floorOf))].filter((floor) => !(floor in BELOW))).toEqual([]);
  });

  test.for(Object.keys(BELOW))('%s imports only what lies below it', (floor) => {
    const wrong = imports
      .filter((one) => floorOf(one.file) === floor && isRelative(one))
      .filter((one) => targetFloor(one) !== floor && !BELOW[floor]!.includes(targetFloor(one)))
      .filter((one) => !isStartOfTheMaster(one) && !isTypeOfTheGround(one));
    expect(wrong.map(told)).toEqual([]);
  });

  test('the command reaches the master, in start.ts, by dynamic import', () => {
    expect(imports.filter(isStartOfTheMaster)).not.toEqual([]);
  });

  test('every import names a module that exists', () => {
    const names = new Set(sources.map((file) => file.replace(/ts$/, 'js')));
    const lost = imports.filter((one) => isRelative(one) && !names.has(join(dirname(one.file), one.specifier)));
    expect(lost.map(told)).toEqual([]);
  });
});

describe('what users import', () => {
  test('loads nothing: a config file that wants defineConfig is read at each reload', () => {
    const entries = ['src/index.ts', 'src/index.cts'];
    expect(imports.filter(({ file, kind }) => entries.includes(file) && kind === 'value').map(told)).toEqual([]);
  });

  test('may be another version than the preload: in the app, only the registry of callbacks is between them', () => {
    const own = imports.filter(({ file, kind }) => file.startsWith('src/app/') && kind !== 'type');
    expect(own.map(({ specifier }) => specifier)).toEqual(['../shared/drain-registry.cjs']);
  });
});

describe('purity', () => {
  const foreign = (floor: string): Import[] => imports.filter((one) => floorOf(one.file) === floor && !isRelative(one));

  test('domain imports no package and nothing of Node', () => {
    expect(foreign('domain').map(told)).toEqual([]);
  });

  test('domain knows no clock, no chance, no process and no timer', () => {
    const impure = /\b(Date|performance|Math\.random|process|setTimeout|setInterval|console|fetch)\b[.(]/;
    expect(
      sources.filter((file) => floorOf(file) === 'domain' && impure.test(withoutQuotes(withoutComments(read(file))))),
    ).toEqual([]);
  });

  test('shared imports node:path and the schema library, and does no I/O', () => {
    const allowed = ['node:path', 'valibot'];
    expect(
      foreign('shared')
        .filter(({ specifier }) => !allowed.includes(specifier))
        .map(told),
    ).toEqual([]);
  });

  test("undocumented Node APIs occur in src/node-internals alone, in no other file's code", () => {
    const undocumented = /_createServerHandle|_getServer|_httpMessage|\._handle\b|process\.binding|kConnections/;
    const users = sources.filter((file) => undocumented.test(withoutComments(read(file))));
    expect(users).not.toEqual([]);
    expect(users.filter((file) => floorOf(file) !== 'node-internals')).toEqual([]);
  });
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

function withoutQuotes(text: string): string {
  return text.replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}

test("the version that the preload knows is package.json's", () => {
  expect(VERSION).toBe((JSON.parse(read('package.json')) as { version: string }).version);
});

describe('error codes', () => {
  const union = /export type ErrorCode =([^;]+);/.exec(read('src/shared/errors.ts'))![1]!;
  const codes = [...union.matchAll(/'(ZDSUP_\w+)'/g)].map(([, code]) => code!).sort();

  /** A code is documented where it heads a section or a row of a table. */
  const documented = (): string[] => {
    const page = existsSync(join(ROOT, 'docs/errors.md')) ? read('docs/errors.md') : '';
    return [...new Set([...page.matchAll(/^(?:#+|\|)\s*[`*]*(ZDSUP_[A-Z_]+)/gm)].map(([, code]) => code!))].sort();
  };

  test('are documented in docs/errors.md, each of them', () => {
    expect(codes.filter((code) => !documented().includes(code))).toEqual([]);
  });

  test('that docs/errors.md documents exist', () => {
    expect(documented().filter((code) => !codes.includes(code))).toEqual([]);
  });

  test('are each raised somewhere', () => {
    const text = sources
      .filter((file) => file !== 'src/shared/errors.ts')
      .map(read)
      .join('\n');
    const raised = (code: string): boolean =>
      text.includes(`'${code}'`) || (code === 'ZDSUP_INTERNAL' && /toReport\(/.test(text));
    expect(codes.filter((code) => !raised(code))).toEqual([]);
  });
});
