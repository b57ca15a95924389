/** Runs in the CLI. Text as a terminal counts it: styles take no column, and some characters two. Pure. */
const ESCAPE = String.fromCharCode(27);
/** One style (SGR), or one character. */
const PARTS = new RegExp(`${ESCAPE}\\[[\\d;]*m|.`, 'gsu');
const RESET = `${ESCAPE}[0m`;

/** A good guess, as all terminals make one: East Asian wide characters and emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;
/** Combining marks, and what only says how others are shown. */
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

const isStyle = (part: string): boolean => part.length > 1 && part.startsWith(ESCAPE);

function widthOf(part: string): number {
  if (isStyle(part) || NONE.test(part)) return 0;
  return WIDE.test(part) ? 2 : 1;
}

/** Most lines: each character takes one column. */
const SIMPLE = /^[ -~]*$/;

/** In columns. */
export const columnsOf = (text: string): number =>
  SIMPLE.test(text) ? text.length : (text.match(PARTS) ?? []).reduce((sum, part) => sum + widthOf(part), 0);

/** What is longer ends with `…`. */
export function clip(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  const { kept, styled } = head(text, columns - 1);
  return `${kept}…${styled ? RESET : ''}`;
}

/** As many whole characters as fit. `styled`: a style may be on at the end. */
function head(text: string, columns: number): { kept: string; styled: boolean } {
  let kept = '';
  let width = 0;
  let styled = false;
  for (const part of text.match(PARTS) ?? []) {
    width += widthOf(part);
    if (width > columns) break;
    kept += part;
    styled ||= isStyle(part);
  }
  return { kept, styled };
}

/** Between words, into lines of at most so many columns; all but the first are indented. A word that is too long for a line is clipped. */
export function wrap(text: string, columns: number, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<=\S)(?= )/)) {
    if (line !== '' && columnsOf(line) + columnsOf(word) > columns) {
      lines.push(line);
      line = ' '.repeat(indent) + word.trimStart();
    } else line += word;
  }
  return closed([...lines, line]).map((one) => clip(one, columns));
}

/** A style that is on at the end of a line is on in the next one, and nowhere else. */
function closed(lines: string[]): string[] {
  let on = '';
  return lines.map((line) => {
    const begun = on;
    for (const part of line.match(PARTS) ?? []) if (isStyle(part)) on = ENDS.has(part) ? '' : on + part;
    return begun === '' && on === '' ? line : `${begun}${line}${on === '' ? '' : RESET}`;
  });
}

/** How styleText ends bold and dim, and a colour. */
const ENDS = new Set(['0', '22', '39'].map((code) => `${ESCAPE}[${code}m`));
