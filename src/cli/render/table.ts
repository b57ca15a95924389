/** Runs in the CLI. Columns as wide as their widest cell; figures to the right. */
export function table(headings: string[], rows: string[][]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const isFigure = headings.map((_, column) =>
    rows.every((cells) => /^ *[\d.-]+( (%|MB|ms))?$/.test(cells[column] ?? '')),
  );
  const line = (cells: string[]): string =>
    cells
      .map((cell, column) => (isFigure[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return [headings, ...rows].map(line).join('\n');
}
