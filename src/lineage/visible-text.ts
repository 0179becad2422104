/** Variation selectors and fillers, which are marks and letters, are default-ignorable; they can carry a whole text. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Text with every character that cannot be seen as an escape (`\u{202e}`): tool names and URIs are chosen by callers and
 * servers, and could otherwise reorder what is read. What is left is in XML's character range.
 *
 * @param max characters; longer text is cut and ends in `…`.
 */
export function visibleText(text: string, max = 1024): string {
  // Cut before escaping too, so that hostile text costs no more than what is shown of it.
  const shown = cut(text, max).replace(
    INVISIBLE,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return cut(shown, max);
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
