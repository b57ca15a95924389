/** Runs in the CLI, as root. What root is refused of another user's app, that user may do: the whole command, to be typed as it is. */

/** These look at what is remembered, too; of the others nothing would come while the app does not run. */
const AT_REST = ['status', 'list', 'ls', 'describe', 'delete', 'history', 'logs', 'releases', 'deploy'];

/** @param name as it was typed, such as `alice/shop`, or `shop` @param argv of this process */
export function asOwner(owner: string, name: string, argv: readonly string[] = process.argv): string {
  const [verb = 'status', ...words] = argv.slice(2);
  const app = name.slice(name.indexOf('/') + 1);
  const command = AT_REST.includes(verb)
    ? [verb, ...words.map((word) => (word === name ? app : word))]
    : ['status', app];
  return `runuser -u ${owner} -- zdsup ${command.map(quoted).join(' ')}`;
}

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
