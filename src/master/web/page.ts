/** Runs in the master. The files of the page, read once, and the headers that keep a browser from doing more with them than it should. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../dashboard/', import.meta.url));

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Of every answer. Nothing from elsewhere, nothing inline, in no frame, and kept nowhere. */
export const HEADERS: Record<string, string> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

export interface PageFile {
  type: string;
  body: Buffer;
}

/** By its path: `/` and the names that lie in the folder. No path is ever made of what a client says. */
export function pageFiles(folder: string = FOLDER): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  for (const name of namesIn(folder)) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    files.set(name === 'index.html' ? '/' : `/${name}`, { type, body: readFileSync(join(folder, name)) });
  }
  return files;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // A build without the page.
  }
}

/** Of who comes without a token, or with a wrong one. @param app its name */
export const LOGIN_PAGE = (app: string, isWrong: boolean): string =>
  `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>zdsup: ${app}</title>
<h1>${isWrong ? 'The token of this link does not hold' : 'This page needs its token'}</h1>
<p>${isWrong ? 'It may have been changed since, or cut short. ' : ''}On the host, as the user who runs the app, type <code>zdsup dashboard ${app}</code> and open the link that it prints.</p>
</html>
`;
