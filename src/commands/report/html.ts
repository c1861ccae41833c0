/** Markup that may stand in a page as it is. Only {@link html} makes it. */
export class Html {
  constructor(readonly markup: string) {}
}

/** What stands between the tags: markup, a text that is yet to be escaped, nothing, or several of these. */
export type Part = Html | string | number | false | undefined | readonly Part[];

/** Markup in which all that is put in is escaped, whoever wrote it: it may stand as text, or in an attribute between quotes. */
export function html(markup: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    markup.map((text, index) => text.replace(/\s*\n\s*/g, '\n') + (index < parts.length ? markupOf(parts[index]) : '')).join(''),
  );
}

/** A style sheet, which is ours: as it is. */
export function styleElement(css: string): Html {
  return new Html(`<style>${css}</style>`);
}

function markupOf(part: Part): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Html) return part.markup;
  return typeof part === 'object' ? part.map(markupOf).join('') : escaped(String(part));
}

const references: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

// Control characters, those that turn the direction of a text or are not seen (U+202E, U+200B), half surrogates.
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escaped(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(unseen, (letter) => (letter === '\n' || letter === '\t' ? letter : `\\u${hexOf(letter)}`))
    .replace(/[&<>"']/g, (letter) => references[letter] ?? letter);
}

function hexOf(letter: string): string {
  const hex = (letter.codePointAt(0) ?? 0).toString(16);
  return hex.length > 4 ? `{${hex}}` : hex.padStart(4, '0');
}

/** The head of a table that a narrow screen shows as a stack, where roles say what it still is. */
export function tableHead(titles: readonly string[]): Html {
  return html`<thead role="rowgroup">
    <tr role="row">
      ${titles.map((title) => html`<th scope="col" role="columnheader">${title}</th>`)}
    </tr>
  </thead>`;
}
