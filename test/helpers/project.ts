/** A folder with an app in it, as a user has it. */
import { mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from './cleanup.js';

export interface Project {
  folder: string;
  path(...parts: string[]): string;
  /** Writes files; their folders are made. */
  write(files: Record<string, string>): void;
  remove(name: string): void;
  /** Points a symbolic link at a folder in here, as a deploy does. */
  link(name: string, target: string): void;
}

export function makeProject(files: Record<string, string> = {}): Project {
  const folder = temporaryFolder();
  const project: Project = {
    folder,
    path: (...parts) => join(folder, ...parts),
    write(more) {
      for (const [name, text] of Object.entries(more)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), text);
      }
    },
    remove: (name) => rmSync(join(folder, name)),
    link(name, target) {
      const path = join(folder, name);
      try {
        unlinkSync(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
      symlinkSync(target, path);
    },
  };
  project.write(files);
  return project;
}

/** An app that answers every request with `text` (an expression), as plain Node has it. */
export const answering = (text: string, port: number | string): string =>
  `require('node:http').createServer((request, response) => response.end(String(${text}))).listen(${port});\n`;
