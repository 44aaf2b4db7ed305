/** What belongs between the text in front of the cursor and the first words that are written behind it. */

const WORD = /[\p{L}\p{N}]/u;
const BETWEEN_WORDS = /[\p{L}\p{N},;:.!?)\]"”’*_`]$/u;
/** Scripts that write their words without blanks, and their punctuation. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{P}]/u;
const FULL_WIDTH = /[\u3000-\u303f\uff00-\uffef\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]$/u;

/** The first words as they are to be written behind `line`, the cursor's line up to the cursor. */
export function jointed(line: string, first: string): string {
  const said = line.trim();
  if (said === "") return first.trimStart();
  // An answer is no part of the question, nor a text of its heading.
  if (/^#{1,6}\s/.test(said) || /[?？]$/.test(said)) return `\n\n${first.trimStart()}`;
  const start = first.charAt(0);
  if (/\s$/.test(line)) return first.replace(/^[^\S\n]+/, "");
  const spaced = WORD.test(start) && !UNSPACED.test(start) && BETWEEN_WORDS.test(line) && !FULL_WIDTH.test(line);
  return spaced ? ` ${first}` : first;
}
