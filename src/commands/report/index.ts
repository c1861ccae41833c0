import { createHash } from 'node:crypto';
import { html, styleElement, type Html } from './html.js';
import { sectionOf, titleOf, verdict, type ReportSection } from './section.js';
import { style } from './style.js';
import { momentOf } from './words.js';

export type { ReportSection } from './section.js';

/** How the page of {@link renderReport} is made. */
export interface ReportOptions {
  /** When it was made. Default: now. */
  readonly at?: Date | undefined;
}

/**
 * One page for a browser, of what verbs have given: a document that loads nothing and runs no script. Whatever stands in the results is escaped. Pure, but for the
 * time. A plan's SQL stands in it with its values: it is for those who may see them.
 */
export function renderReport(sections: readonly ReportSection[], { at = new Date() }: ReportOptions = {}): string {
  const kind = kindOf(sections);
  const ids = sections.map((_, index) => `s${index + 1}`);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        ${headOf(kind, sections)}
      </head>
      <body>
        <header class="top">
          <p class="brand">ensure-migrated</p>
          <h1>${kind}</h1>
          <p class="quiet">Made at ${momentOf(at)} UTC</p>
        </header>
        ${sections.length > 1 && contents(sections, ids)}
        <main>
          ${sections.map((section, index) => sectionOf(section, ids[index] ?? ''))}${sections.length === 0 && html`<p>There is nothing to tell of.</p>`}
        </main>
        <footer><p>One file, which loads nothing and runs no script. SQL is shown with the values that stand in it.</p></footer>
      </body>
    </html> `;
  return `${page.markup.trimEnd()}\n`;
}

const generator = html`<meta name="generator" content="ensure-migrated" />`;

/** By which a page of ours is known; it stands in its first kilobyte. */
export const reportMark = generator.markup;

function headOf(kind: string, sections: readonly ReportSection[]): Html {
  const [only, ...others] = sections;
  const title = only && others.length === 0 ? `${kind}: ${titleOf(only)}` : kind;
  const hash = createHash('sha256').update(style).digest('base64');
  // What a browser would do for a page of somebody else's names is forbidden to it once more.
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return html`<meta charset="utf-8" />
    ${generator}
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="referrer" content="no-referrer" />
    <meta name="robots" content="noindex" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${title}</title>
    ${styleElement(style)}`;
}

function contents(sections: readonly ReportSection[], ids: readonly string[]): Html {
  const entry = (section: ReportSection, index: number) =>
    html`<li><a href="#${ids[index]}">${titleOf(section)}</a> ${verdict(section)}</li>`;
  return html`<nav aria-label="Contents">
    <ul>
      ${sections.map(entry)}
    </ul>
  </nav>`;
}

function kindOf(sections: readonly ReportSection[]): string {
  const [plans, histories] = [sections.some(({ plan }) => plan), sections.some(({ history }) => history)];
  return plans === histories ? 'Migrations' : plans ? 'Migration plan' : 'Migration history';
}
