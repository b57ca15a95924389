/** What apps write and are called, as text that shows what it is: no control character, and none that turns the order of others around. Pure. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const SEQUENCE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const INVISIBLE = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]/g;

/** Colours of a terminal are taken out; whatever else cannot be seen is shown as `�`. */
export function plainText(text: string, longest = 2_000): string {
  const plain = text.replace(SEQUENCE, '').replace(INVISIBLE, '�');
  return plain.length > longest ? `${plain.slice(0, longest)}…` : plain;
}
