/** Where the frameworks, the apps and their builds are. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const FRAMEWORKS = fileURLToPath(new URL('.', import.meta.url));
export const APPS = join(FRAMEWORKS, 'apps');
/** Not in git; kept from run to run. */
export const BUILT = join(FRAMEWORKS, '.built');
/** Examples that need packages from npm: those are among the frameworks. */
export const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
