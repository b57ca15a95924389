/** Names of apps: they are socket file names, so they are kept simple. */
const APP_NAME = /^[a-z][a-z0-9._-]{0,62}$/;

/** What commands take for every app. */
const RESERVED = 'all';

export const isAppName = (name: string): boolean => APP_NAME.test(name) && name !== RESERVED;

/** A valid name from a package's name or a folder's: `@scope/x` becomes `scope-x`. */
export function deriveAppName(source: string): string {
  const plain = source
    .toLowerCase()
    .replace(/^@/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .replace(/-+$/, '')
    .slice(0, 63);
  if (plain === RESERVED) return `${RESERVED}-app`;
  return plain === '' ? 'app' : plain;
}

/** The name that a package.json gives. Null where it gives none; one that does not parse names nothing, and Node itself will say why. */
export function nameInPackage(text: string): string | null {
  try {
    const { name } = JSON.parse(text) as { name?: unknown };
    return typeof name === 'string' && name !== '' ? name : null;
  } catch {
    return null;
  }
}

/** For `sort`. By code units: the first `localeCompare` of a process loads collation tables, 5 ms and more of each command. */
export const byName = (one: { name: string }, other: { name: string }): number =>
  one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
