/** Where the frameworks, the apps and their builds are. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const FRAMEWORKS = fileURLToPath(new URL('.', import.meta.url));
export const APPS = join(FRAMEWORKS, 'apps');
/** Not in git; kept from run to run. */
export const BUILT = join(FRAMEWORKS, '.built');
