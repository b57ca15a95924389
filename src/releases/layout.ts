/**
 * Runs in the CLI and the master. Where what lies in the store of an app, `<state>/releases/<app>/`:
 *
 *   <id>/.manifest    what the release is made of; it is there once the release is whole
 *   <id>/.failed      its last rollout has failed, and why; gone once it proves itself
 *   <id>/<app>/       its tree: folders of its own, files that are hard links to objects
 *   objects/ab/…      each content once, read-only, named by its hash and its mode
 *   shared/           the folders that an app writes to, linked into every release
 *   current           symbolic link to the tree of the last good release
 *   next              symbolic link to the tree of one that was deployed while the app did not run: what its next start tries
 *   previous          symbolic link to the tree of the one that was good before: what a rollback goes back to
 *   spare/<id>/<app>/ the tree of the last release once more, for the next deploy to change
 *   tmp/              of a deploy under way; what a killed one left there is removed by the next
 */
import { join } from 'node:path';

/** What identifies a release: the first digits of its tree's hash. */
export const RELEASE_ID = /^[0-9a-f]{8,64}$/;

export const manifestPath = (store: string, id: string): string => join(store, id, '.manifest');
export const failedPath = (store: string, id: string): string => join(store, id, '.failed');
/** Named as the app, since an app without a name of its own takes that of its folder. */
export const treePath = (store: string, app: string, id: string): string => join(store, id, app);
export const objectsDir = (store: string): string => join(store, 'objects');
export const sharedDir = (store: string): string => join(store, 'shared');
export const currentPath = (store: string): string => join(store, 'current');
export const nextPath = (store: string): string => join(store, 'next');
export const previousPath = (store: string): string => join(store, 'previous');
export const spareDir = (store: string): string => join(store, 'spare');
export const temporaryDir = (store: string): string => join(store, 'tmp');

/** The mode is part of the name: hard links share it. */
export const objectPath = (store: string, hash: string, mode: number): string =>
  `${store}/objects/${hash.slice(0, 2)}/${hash.slice(2)}.${mode.toString(8)}`;
