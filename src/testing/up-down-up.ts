import { downgrade } from '../commands/downgrade.js';
import { upgrade } from '../commands/upgrade.js';
import type { Finding } from '../finding.js';
import { ownTables, tablesOf } from '../history/index.js';
import { diffSchema, readSchema, renderChange, type Schema } from '../schema/index.js';
import { withLink } from './link.js';
import type { Project } from './project.js';

/**
 * Runs each migration up, down and up again on an empty database, and compares the catalogs: its `down` has to leave what was there before it, and its
 * second `up` what the first one left. The order of columns does not count. Throws what a migration throws.
 */
export async function upDownUp(project: Project, url: string): Promise<readonly Finding[]> {
  const options = await project.optionsOf(url);
  const tables = tablesOf(project.config.migrations);
  const excluded = ownTables(tables);
  const look = async () => await withLink(url, async (link) => await readSchema((text) => link.query(text), { excluded }));
  const findings: Finding[] = [];
  let before = await look();
  for (const migration of await project.list()) {
    const { name } = migration;
    await upgrade(options, { target: { to: name } });
    const first = await look();
    if ((await migration.load()).down === undefined) findings.push(irreversible(name));
    else {
      await downgrade(options, { target: { steps: 1 }, yes: true });
      findings.push(...differences(before, await look()).map((what) => unlikeBefore(name, what)));
      await upgrade(options, { target: { to: name } });
      findings.push(...differences(first, await look()).map((what) => unlikeFirst(name, what)));
    }
    before = await look();
  }
  return findings;
}

function differences(wanted: Schema, found: Schema): string[] {
  return diffSchema(wanted, found).map(renderChange);
}

function irreversible(migration: string): Finding {
  const message = `${migration} has no down: it cannot be taken back.`;
  return {
    code: 'migration-no-down',
    level: 'warn',
    at: { migration },
    message,
    remedy: 'Write its down, or leave it out of this test on purpose.',
  };
}

function unlikeBefore(migration: string, what: string): Finding {
  const message = `after the down of ${migration} the schema is not what it was before its up: ${what}.`;
  return {
    code: 'migration-down-differs',
    level: 'error',
    at: { migration },
    message,
    remedy: 'Let the down take back all that the up does.',
  };
}

function unlikeFirst(migration: string, what: string): Finding {
  const message = `the second up of ${migration} does not leave what the first one left: ${what}.`;
  return {
    code: 'migration-up-differs',
    level: 'error',
    at: { migration },
    message,
    remedy: 'Let the up name what it makes, and its down take back all of it.',
  };
}
