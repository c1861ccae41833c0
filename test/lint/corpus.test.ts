import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { major, root } from '../support/majors.js';
import { describeWith } from '../support/tools.js';
import { readEntries, tracedDangers, type Entry } from './corpus/entries.js';
import { isOfStyle, runSquawk, squawkVersion, type SquawkFindings } from './corpus/squawk.js';
import { createCorpusDatabase, Tracing, type Truth } from './corpus/truth.js';
import { findingsIn, lintExample } from './fixture.js';

const entries = readEntries();
const [dangerous, safe] = [entries.filter(({ label }) => label === 'dangerous'), entries.filter(({ label }) => label === 'safe')];
const version = await squawkVersion();

/** By entry, the rules that had something to say. */
type Found = ReadonlyMap<string, readonly string[]>;

const traced = new Map<string, Truth>();
let withDatabase: Found;
let withoutDatabase: Found;
/** Entries of which the lint without a database says that it cannot judge something. */
const unjudged = new Set<string>();

beforeAll(async () => {
  const [kept, spent] = [await createCorpusDatabase(), await createCorpusDatabase()];
  const client = await kept.connect();
  withDatabase = await lintAll(client);
  withoutDatabase = await lintAll(undefined);
  const tracing = await Tracing.of({ kept: client, spent: await spent.connect() });
  for (const entry of entries) traced.set(entry.id, await tracing.see(entry));
});

// `info` is no alarm.
async function lintAll(client: Parameters<typeof lintExample>[0]['client']): Promise<Found> {
  const found = new Map<string, string[]>();
  for (const { id, migrations } of entries) {
    const findings = findingsIn(await lintExample({ client, migrations }));
    if (findings.some(({ message }) => message.startsWith('not judged'))) unjudged.add(id);
    const alarms = findings.filter(({ level }) => level !== 'info');
    found.set(
      id,
      alarms.map(({ code }) => code),
    );
  }
  return found;
}

const missedBy = (found: Found) => dangerous.filter(({ id }) => found.get(id)?.length === 0).map(({ id }) => id);
const falseAlarmsOf = (found: Found) =>
  safe.filter(({ id }) => found.get(id)?.length !== 0).map(({ id }) => `${id}: ${found.get(id)?.join()}`);

describe('the corpus', () => {
  test('has at least 170 entries, about half of them safe, each with a name of its own', () => {
    expect(entries.length).toBeGreaterThanOrEqual(170);
    expect(safe.length / entries.length).toBeCloseTo(0.5, 1);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
  });

  test('is labelled by what the server does', () => {
    expect(Object.fromEntries(entries.flatMap((entry) => contradictionOf(entry)))).toEqual({});
  });
});

/** Where the trace says something else than the label; what destroys or breaks is told by the statement, and blocks nobody for long. */
function contradictionOf({ id, label, why }: Entry): [string, Truth & { label: string }][] {
  const truth = traced.get(id);
  if (truth === undefined) throw new Error(`${id} was not traced`);
  const danger = label === 'dangerous' ? tracedDangers.find((each) => why.startsWith(each)) : undefined;
  const isSo = danger === undefined || danger === 'waits' ? truth.seen === undefined : truth.seen?.startsWith(danger);
  const isLocked = danger !== 'waits' || truth.locks.length > 0;
  return isSo && isLocked ? [] : [[id, { ...truth, label: `${label}, ${why}` }]];
}

describe('the lint on the corpus', () => {
  test('misses no danger', () => {
    expect(missedBy(withDatabase)).toEqual([]);
  });

  test('raises one false alarm: a volatile function whose body is a constant', () => {
    expect(falseAlarmsOf(withDatabase)).toEqual(['default-volatile-inlined: add-column-volatile-default']);
  });
});

const squawk = {
  available: version !== undefined && major === 18,
  missing: 'npm has no squawk here, or not PostgreSQL 18',
  required: false,
};
const page = path.join(root, 'docs/lint.md');
const marked = /(?<=<!-- the corpus -->\n)[^]*(?=\n<!-- end of the corpus -->)/;

describeWith(squawk, 'beside squawk', () => {
  test('docs/lint.md has the figures of this run', async () => {
    const table = tableOf(await runSquawk(entries));
    const text = readFileSync(page, 'utf8');
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(page, text.replace(marked, table));
    else expect(marked.exec(text)?.[0]).toBe(table);
  });
});

function tableOf(found: SquawkFindings): string {
  const withoutStyle = new Map([...found].map(([id, rules]) => [id, rules.filter((rule) => !isOfStyle(rule))]));
  const name = `squawk ${version}`;
  return [
    `| ${entries.length} entries | of ${dangerous.length} dangers found | missed | false alarms, of ${safe.length} safe |`,
    '| --- | --- | --- | --- |',
    rowOf('this lint, with a database', withDatabase),
    rowOf('this lint, without one', withoutDatabase),
    rowOf(`${name}, as it comes`, found),
    rowOf(`${name}, without timeouts and style`, withoutStyle),
  ].join('\n');
}

function rowOf(name: string, found: Found): string {
  const missed = missedBy(found);
  const said = found === withoutDatabase ? `, of ${missed.filter((id) => unjudged.has(id)).length} it says that it cannot tell` : '';
  return `| ${name} | ${dangerous.length - missed.length} | ${missed.length}${said} | ${falseAlarmsOf(found).length} |`;
}
