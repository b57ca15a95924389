/** Runs in the CLI. Colours where the stream shows them: a terminal that is not dumb, and no NO_COLOR. */
import { styleText } from 'node:util';

type Style = (text: string) => string;

export function styles(stream: NodeJS.WriteStream): Record<'red' | 'green' | 'yellow' | 'dim' | 'bold', Style> {
  const on = stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
  const style = (name: 'red' | 'green' | 'yellow' | 'dim' | 'bold'): Style =>
    on ? (text) => styleText(name, text, { validateStream: false }) : (text) => text;
  return { red: style('red'), green: style('green'), yellow: style('yellow'), dim: style('dim'), bold: style('bold') };
}
