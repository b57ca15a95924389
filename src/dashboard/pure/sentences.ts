/** Several things that are said one after another. Pure. */

/** Each ends with one mark, its own where it has one. */
export const sentencesOf = (texts: string[]): string =>
  texts.map((text) => (/[.!?…]$/.test(text.trimEnd()) ? text.trimEnd() : `${text}.`)).join(' ');
