/** An app in the container's `/srv`, as its owner has it there. */
import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';

/** `app` of the container. */
const UID = 1000;

/**
 * Answers with a word of its release and its pid; `/slow` after 5 s; `/eat` takes all the memory there is; `/environment` says what of a service manager it sees.
 * @param after it takes so long to load, in ms
 */
export const source = (word: string, port: number | string, after = 0): string => `
const listen = () => require('node:http').createServer((request, response) => {
  if (request.url === '/slow') setTimeout(() => response.end('slow'), 5000);
  else if (request.url === '/eat') { const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1)); }
  else if (request.url === '/environment') response.end(Object.keys(process.env).filter((name) => /^(NOTIFY|LISTEN|WATCHDOG)_/.test(name)).join());
  else response.end('${word} ' + process.pid);
}).listen(${JSON.stringify(port)});
for (const end = Date.now() + ${after}; Date.now() < end;);
listen();
`;

export class App {
  readonly unit: string;
  readonly folder: string;

  constructor(
    private readonly machine: Machine,
    readonly name: string,
    private readonly config: Record<string, unknown>,
    /** Below /srv. */
    private readonly at = name,
    private readonly uid = UID,
  ) {
    this.unit = `zdsup-${name}.service`;
    this.folder = join('/srv', at);
  }

  put(text: string): void {
    const folder = join(this.machine.srv, this.at);
    mkdirSync(folder, { recursive: true });
    const config = { name: this.name, script: 'app.js', minReady: 0, soak: 0, ...this.config };
    writeFileSync(join(folder, 'zdsup.config.json'), JSON.stringify(config));
    writeFileSync(join(folder, 'app.js'), text);
    chownSync(folder, this.uid, this.uid);
    for (const name of readdirSync(folder)) chownSync(join(folder, name), this.uid, this.uid);
  }
}
