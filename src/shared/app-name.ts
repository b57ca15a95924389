/** Names of apps: they are socket file names, so they are kept simple. */
const APP_NAME = /^[a-z][a-z0-9._-]{0,62}$/;

export const isAppName = (name: string): boolean => APP_NAME.test(name);

/** A valid name from a package's name or a folder's: `@scope/x` becomes `scope-x`. */
export function deriveAppName(source: string): string {
  const plain = source
    .toLowerCase()
    .replace(/^@/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .replace(/-+$/, '')
    .slice(0, 63);
  return plain === '' ? 'app' : plain;
}
