import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './majors.js';

/** A fenced block. */
export interface Snippet {
  readonly page: string;
  /** Of its first line, from 1. */
  readonly line: number;
  readonly language: string;
  /** What stands after the language: `sql undone`. */
  readonly label: string;
  readonly text: string;
  /** The heading above it. */
  readonly section: string;
}

/** A file of the documentation. */
export interface Page {
  /** From the root of the repository. */
  readonly name: string;
  /** Without its fenced blocks; the lines are where they were. */
  readonly prose: string;
  readonly headings: readonly string[];
  /** As GitHub makes them of the headings. */
  readonly anchors: readonly string[];
  readonly links: readonly string[];
  readonly snippets: readonly Snippet[];
}

/** Every Markdown file of the repository. */
export function readPages(): Page[] {
  const folders = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)),
  );
  return [...readdirSync(root), ...folders].filter((name) => name.endsWith('.md')).map(readPage);
}

export function readPage(name: string): Page {
  const text = readFileSync(path.join(root, name), 'utf8');
  const snippets: Snippet[] = [];
  const prose = text.replace(
    /^```(\w*) ?(.*)\n([^]*?)^```$/gm,
    (block: string, language: string, label: string, body: string, at: number) => {
      const before = text.slice(0, at);
      const section = [...before.matchAll(/^#+ (.+)$/gm)].at(-1)?.[1] ?? '';
      snippets.push({ page: name, line: before.split('\n').length + 1, language, label, text: body, section });
      return block.replace(/[^\n]/g, '');
    },
  );
  const headings = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  const links = [...prose.replace(/`[^`\n]*`/g, '').matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return { name, prose, headings, anchors: anchorsOf(headings), links, snippets };
}

/** The block with this label. */
export function snippetOf(name: string, label: string): string {
  const found = readPage(name).snippets.filter((snippet) => snippet.label === label);
  if (found.length !== 1) throw new Error(`${name} has ${found.length} blocks labelled "${label}"`);
  return (found[0] as Snippet).text;
}

/** The blocks under a heading. */
export function snippetsUnder(name: string, section: string): Snippet[] {
  return readPage(name).snippets.filter((snippet) => snippet.section === section);
}

function anchorsOf(headings: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return headings.map((heading) => {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}
