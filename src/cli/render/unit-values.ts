/** Runs in the CLI. Values as unit files want them (systemd.syntax(7), systemd.service(5)). Pure. */

/** `%` begins a specifier everywhere. */
export const plain = (value: string): string => value.replaceAll('%', '%%');

/** One word of a list: in quotes where it must be. */
export function word(value: string): string {
  const escaped = plain(value)
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return /^[\w@%+=:,./~-]+$/.test(value) ? escaped : `"${escaped}"`;
}

/** A command line. Where a word has a `$`, the colon keeps systemd from looking for a variable; a word that is only `;` would end the command. */
export function commandLine(words: string[]): string {
  const line = words.map((one) => (one === ';' ? '"\\x3b"' : word(one))).join(' ');
  return words.some((one) => one.includes('$')) ? `:${line}` : line;
}

/** `90s`, `1500ms`. */
export const duration = (ms: number): string => (ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`);

/** A path that stands alone on its line is taken as it is: no quotes. @returns null where no unit can name it */
export const pathAlone = (path: string): string | null => (/[\n\r]|\\$|^\s|\s$/.test(path) ? null : plain(path));
