/** Runs in the CLI. What is read in pieces goes to stdout line by line, as fast as whoever reads along takes it. */

/** Settles when it may be given more. */
export const toStdout = (bytes: Buffer | string): Promise<void> =>
  new Promise((resolve) => {
    if (bytes.length === 0) resolve();
    else process.stdout.write(bytes, () => resolve());
  });

/**
 * Line by line; the end of an unfinished one is waited for.
 * @param render null leaves the line out
 */
export function eachLine(render: (line: string) => string | null): (bytes: Buffer) => Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop()!;
    const rendered = lines.map(render).filter((line) => line !== null);
    return toStdout(rendered.map((line) => `${line}\n`).join(''));
  };
}
