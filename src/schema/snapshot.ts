import { keyOf } from './diff.js';
import type { Line, Schema } from './inspect.js';

/** What a snapshot tells. */
export interface Snapshotted {
  /** What the migrations make. */
  readonly made: Schema;
  /** What is in a database before the first of them. */
  readonly empty: Schema;
}

const title = '-- The schema that the migrations make, for review and for git. Written by ensure-migrated: not SQL, and not to be edited.';

/**
 * A schema as text to be reviewed: an object in a line with what belongs to it below, in an order that no machine changes. What every empty database
 * has is left out; where a migration takes that away, the line says `no`. Bodies of views are as this major version of the server writes them. Pure.
 */
export function renderSnapshot({ made, empty }: Snapshotted): string {
  const before = new Map(empty.lines.map((line) => [keyOf(line), line]));
  const there = new Set(made.lines.map(keyOf));
  const gone = empty.lines.filter((line) => !there.has(keyOf(line))).map((line) => ({ ...line, kind: `no ${line.kind}`, definition: '' }));
  const told = [...made.lines.filter((line) => before.get(keyOf(line))?.definition !== line.definition), ...gone];
  const rootOf = rootsIn(made);
  const blocks = new Map<string, Line[]>();
  for (const line of told) blocks.set(rootOf(line), [...(blocks.get(rootOf(line)) ?? []), line]);
  const texts = [...blocks].sort(([one], [other]) => compare(one, other)).map(([root, lines]) => renderBlock(root, lines));
  return `${[`${title}\n-- As PostgreSQL ${majorOf(made)} writes it.`, ...texts].join('\n\n')}\n`;
}

// A table is the root of what stands in and on it, and is not told under its schema.
function rootsIn({ lines }: Schema): (line: Line) => string {
  const schemas = new Set(lines.filter(({ kind }) => kind === 'schema').map(({ identity }) => identity));
  const parents = new Map(lines.filter(({ identity, parent }) => identity !== parent).map(({ identity, parent }) => [identity, parent]));
  return ({ identity, parent }) => {
    let [root, above] = [identity, parent];
    for (let depth = 0; depth < 8 && above !== '' && !schemas.has(above); depth++) [root, above] = [above, parents.get(above) ?? ''];
    return root;
  };
}

const order = ['column', 'constraint', 'index'];

function renderBlock(root: string, lines: readonly Line[]): string {
  const isRoot = (line: Line) => line.identity === root && line.parent !== root;
  const rank = (line: Line) => (isRoot(line) ? -1 : order.includes(line.kind) ? order.indexOf(line.kind) : order.length);
  const sorted = [...lines].sort(
    (one, other) => rank(one) - rank(other) || compare(one.kind, other.kind) || compare(one.identity, other.identity),
  );
  return sorted.map((line) => renderLine(line, isRoot(line) ? '' : '  ')).join('\n');
}

function renderLine({ kind, identity, definition }: Line, indent: string): string {
  const name = `${indent}${kind} ${identity.replaceAll('\n', '\\n')}`;
  const text = definition.replace(/\n$/, '');
  if (text === '') return name;
  if (!text.includes('\n')) return `${name} = ${text}`;
  return [name, ...text.split('\n').map((line) => `${indent}  | ${line}`.trimEnd())].join('\n');
}

function majorOf({ serverVersion }: Schema): number {
  return Math.floor(serverVersion / 10_000);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/**
 * Where a text is not what it should be, a sentence for each object. Between servers that write bodies of views or privileges differently, only
 * what can be compared is. Pure.
 */
export function compareSnapshots(text: string, fresh: string): string[] {
  const read = classOf(text) === classOf(fresh) ? entriesOf : (each: string) => withoutVersioned(entriesOf(each));
  const [was, is] = [read(text), read(fresh)];
  return [
    ...[...was.keys()].filter((name) => !is.has(name)).map((name) => `it has ${name}, which is not made`),
    ...[...is.keys()].filter((name) => !was.has(name)).map((name) => `it lacks ${name}`),
    ...[...is].filter(([name, now]) => (was.get(name) ?? now) !== now).map(([name]) => `it has another definition of ${name}`),
  ];
}

// A name in quotes may have ` = ` in it.
const defined = /^((?:"[^"]*"|[^"])*?) = (.*)$/s;

// What is no line of ours (a conflict that git has marked) is the name of something that is not made.
function entriesOf(text: string): Map<string, string> {
  const entries = new Map<string, string>();
  let last = '';
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('--') || line.trim() === '') continue;
    const [, more] = /^ *\|(.*)$/.exec(line) ?? [];
    if (more !== undefined) entries.set(last, `${entries.get(last) ?? ''}\n${more}`);
    else {
      const [, name = line, definition = ''] = defined.exec(line) ?? [];
      last = name.trim();
      entries.set(last, definition);
    }
  }
  return entries;
}

// 16 writes bodies in another way than those before, and 17 has a privilege more.
function classOf(text: string): number {
  const major = Number(/^-- As PostgreSQL (\d+) writes it\.$/m.exec(text)?.[1] ?? 0);
  return major < 16 ? 0 : Math.min(major, 17);
}

function withoutVersioned(entries: Map<string, string>): Map<string, string> {
  return new Map([...entries].filter(([name]) => !/^(?:no )?(?:view body|function body|grant|default privileges) /.test(name)));
}
