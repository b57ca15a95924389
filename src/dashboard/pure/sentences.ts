/** Several things that are said one after another. Pure. */

/** Between two of them stands one mark, that of the first where it has one. */
export const sentencesOf = (texts: string[]): string =>
  texts.reduce((before, text) => `${before}${/[.!?…]$/.test(before) ? ' ' : '. '}${text}`);
