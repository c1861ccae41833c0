import { html, type Html } from './html.js';
import type { Weight } from './words.js';

/** A word on a coloured ground. The word says it all: the colour only finds it. */
export function badge(text: string, weight: Weight | 'good' | 'plain'): Html {
  return html`<span class="badge ${weight}">${text}</span>`;
}

/** Names with what they stand for; those without a value are left out. */
export function facts(rows: readonly (readonly [name: string, value: Html | string | number | undefined])[]): Html {
  const told = rows.filter(([, value]) => value !== undefined);
  return html`<dl class="facts">
    ${told.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** Wide content: it scrolls in its own box, which the keyboard reaches. */
export function scrolling(label: string, content: Html): Html {
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">${content}</div>`;
}
