/** Where the master keeps its hard link to a unix socket that it holds. Beside the path: links do not cross file systems. */
import path = require('node:path');

export const heldLinkOf = (socketPath: string): string =>
  path.join(path.dirname(socketPath), `.${path.basename(socketPath)}.zdsup`);
