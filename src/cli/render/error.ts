/** Runs in the CLI. An error as people read it: what, the worker's last words, what to do next. */
import type { ErrorReport } from '../../shared/errors.js';
import { inLines } from './on-one-line.js';
import { styles } from './style.js';

export function printError(report: ErrorReport, options: { json: boolean; stderr?: string[] }): void {
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ type: 'result', ok: false, exitStatus: report.exitStatus, error: report }, null, 2)}\n`,
    );
  else process.stderr.write(renderError(report, options.stderr ?? []));
}

export function renderError(report: ErrorReport, stderr: string[]): string {
  const { red, dim } = styles(process.stderr);
  const lines = [`${red('error:')} ${inLines(report.message)} ${dim(`(${report.code})`)}`];
  if (stderr.length > 0) lines.push(dim('the last lines of its output:'), ...indented(stderr));
  if (report.hint !== undefined) lines.push(`hint: ${inLines(report.hint)}`);
  return `${lines.join('\n')}\n`;
}

const indented = (lines: string[]): string[] =>
  lines.flatMap((line) => inLines(line).split('\n')).map((line) => `  ${line}`);
