import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

// It is built in test/frameworks/.built/next, with the packages of test/frameworks.
const frameworks = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export default { output: 'standalone', outputFileTracingRoot: frameworks, eslint: { ignoreDuringBuilds: true } };
