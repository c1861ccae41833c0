import type { Knex } from 'knex';
import { makeClone } from './clone.js';
import { readContents } from './contents.js';
import { openDatabase, type TestDatabase } from './database.js';
import type { Desk } from './desk.js';
import { detect, renderDetect } from './detect.js';
import type { OnIdle, OnLeak } from './leaks.js';
import { dropDatabase } from './drop.js';
import { withLink, type Link } from './link.js';
import { databaseName } from './names.js';
import type { Baseline } from './restore.js';
import { makeEmpty, type Template } from './template.js';

/** Makes test databases, all of one run. */
export interface Workshop {
  readonly desk: Desk;
  /** Throws EM_NO_MIGRATIONS where there is none, since there are no migrations. */
  readonly template: () => Template;
  readonly onLeak: OnLeak;
  readonly onIdle: OnIdle;
  readonly keepFailed: boolean;
  readonly knex: Knex | undefined;
  /** What has not been released. */
  readonly opened: Set<TestDatabase>;
  /** Tells how a copy of the template is; all of them are alike. */
  readonly learn: (link: Link) => Promise<Baseline | undefined>;
}

/** A copy of the template. */
export async function openClone(workshop: Workshop): Promise<TestDatabase> {
  const { desk } = workshop;
  const template = workshop.template();
  const name = databaseName('c', desk.facts.oid, desk.run);
  return await openDatabase({
    ...workshop,
    name,
    make: async () => await makeClone(desk, template, name),
  });
}

/** An empty database; `fill` is what its `reset` brings it back to. */
export async function openOwn(workshop: Workshop, fill: (url: string) => Promise<void>): Promise<TestDatabase> {
  const { desk } = workshop;
  const name = databaseName('c', desk.facts.oid, desk.run);
  const make = async () => {
    await makeEmpty(desk, name);
    await fill(desk.urlOf(name));
  };
  return await openDatabase({ ...workshop, name, make, learn: async (link) => await readBaseline(desk, link) });
}

/** Learns it from the first copy. */
export function learnOnce(desk: Desk): Workshop['learn'] {
  let learning: Promise<Baseline | undefined> | undefined;
  return async (link) => await (learning ??= readBaseline(desk, link));
}

/** Learns it from a copy that is made for this and dropped. */
export async function learnBaseline({ desk, template }: Workshop): Promise<Baseline | undefined> {
  const name = databaseName('c', desk.facts.oid, desk.run);
  await makeClone(desk, template(), name);
  const baseline = await withLink(desk.urlOf(name), async (link) => await readBaseline(desk, link));
  await dropDatabase(desk, name);
  return baseline;
}

/** Learns what a fresh database is; undefined where the role may not put rows back beside triggers and foreign keys. */
async function readBaseline({ facts }: Desk, link: Link): Promise<Baseline | undefined> {
  if (!facts.mayMend) return undefined;
  const contents = await readContents(link);
  const statement = renderDetect(contents, facts.superuser);
  return { contents, statement, fresh: { ...(await detect(link, statement)), leaks: [] } };
}
