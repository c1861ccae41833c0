import { canCompareBodies, isBody } from './fingerprint.js';
import type { Line, Schema } from './inspect.js';

/** One object that differs between two schemas. */
export interface Change {
  readonly action: 'added' | 'dropped' | 'changed';
  readonly kind: string;
  readonly identity: string;
  readonly stored: string | undefined;
  readonly live: string | undefined;
}

/**
 * What happened to the stored schema until it became the live one. What goes with an added or dropped object (the columns of a table,
 * a function's grants) is not listed. Between servers that write the same thing differently, only what can be compared is.
 */
export function diffSchema(stored: Schema, live: Schema): Change[] {
  const before = linesOf(stored, live);
  const after = linesOf(live, stored);
  const dropped = [...before].filter(([key]) => !after.has(key)).map(([, line]) => line);
  const added = [...after].filter(([key]) => !before.has(key)).map(([, line]) => line);
  const changed = [...before].flatMap(([key, line]) => {
    const now = after.get(key)?.definition ?? line.definition;
    return now === line.definition ? [] : [changeOf('changed', line, now)];
  });
  return [
    ...withoutParts(dropped).map((line) => changeOf('dropped', line)),
    ...withoutParts(added).map((line) => changeOf('added', line)),
    ...changed,
  ];
}

/** A change as a sentence without its full stop, short enough for a finding. */
export function renderChange({ action, kind, identity, stored, live }: Change): string {
  if (action !== 'changed' || stored === undefined || live === undefined) return `${kind} ${identity} was ${action}`;
  const [before, after] = [stored.split('\n'), live.split('\n')];
  const line = before.findIndex((text, number) => text !== after[number]);
  const at = line < 0 ? before.length : line; // the live one has lines more
  const where = before.length > 1 ? `line ${at + 1} of its definition ` : '';
  return `${kind} ${identity} was changed: ${where}was ${clip(before[at])}, is ${clip(after[at])}`;
}

function clip(text = ''): string {
  return text === '' ? 'empty' : `\`${text.length > 300 ? `${text.slice(0, 300)}...` : text}\``;
}

/** By what the same object is known in two schemas. */
export function keyOf({ kind, identity }: Pick<Line, 'kind' | 'identity'>): string {
  return JSON.stringify([kind, identity]);
}

function changeOf(action: Change['action'], { kind, identity, definition }: Line, now?: string): Change {
  return {
    action,
    kind,
    identity,
    stored: action === 'added' ? undefined : definition,
    live: action === 'added' ? definition : action === 'changed' ? now : undefined,
  };
}

function linesOf(schema: Schema, other: Schema): Map<string, Line> {
  const lines = canCompareBodies(schema, other) ? schema.lines : schema.lines.filter((line) => !isBody(line));
  const comparable = hasMaintain(schema) === hasMaintain(other) ? lines : lines.flatMap(withoutMaintain);
  return new Map(comparable.map((line) => [keyOf(line), line]));
}

// 17 added the privilege.
function hasMaintain({ serverVersion }: Schema): boolean {
  return serverVersion >= 170000;
}

const everyPrivilege = 'DELETE, INSERT, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE';

function withoutMaintain(line: Line): Line[] {
  if (line.kind !== 'grant' && line.kind !== 'default privileges') return [line];
  const definition = line.definition.replace(/(, )?\bMAINTAIN\b[^,]*(, )?/, (_, before = '', after = '') => (before && after ? ', ' : ''));
  if (definition === '' && line.definition !== '') return []; // this was all that had been granted
  return [{ ...line, definition: definition === everyPrivilege ? 'ALL' : definition }];
}

// A line whose parent came or went with it says nothing new. A view's body bears the name of the view, its parent.
function withoutParts(lines: readonly Line[]): Line[] {
  const identities = new Set(lines.filter((line) => !isBody(line)).map(({ identity }) => identity));
  return lines.filter(({ parent }) => !identities.has(parent));
}
