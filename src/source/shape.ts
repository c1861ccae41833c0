import { lintRuleTable, suggestion } from '../config/index.js';
import type { Finding } from '../finding.js';
import { isMigrationError } from '../errors.js';
import { fault, invalidMigrations, loadFailure } from './invalid.js';
import type { Listed, LoadedMigration, MigrationCode } from './migration.js';

interface Parts {
  readonly listed: Listed;
  /** What was imported: a namespace, or the object that a source or a bundle gave. */
  readonly exports: unknown;
  readonly knexEntry: unknown;
}

/** Makes a migration of a module's exports. Throws EM_MIGRATION_INVALID when there is no function `up` or `config` has a wrong type. */
export function shapeModule(parts: Parts): LoadedMigration {
  try {
    return shapeOf(parts);
  } catch (cause) {
    throw isMigrationError(cause) ? cause : loadFailure(parts.listed, cause); // a getter, or a proxy: code of theirs like any other
  }
}

function shapeOf({ listed, exports, knexEntry }: Parts): LoadedMigration {
  const up = codeIn(exports, 'up');
  const given = exported(exports, 'config') ?? {};
  const config = isRecord(given) ? { ...given } : given; // read once
  const findings = [...(up === undefined ? [withoutUp(listed, exports)] : []), ...configFaults(listed, config)];
  if (up === undefined || findings.length > 0) throw invalidMigrations(findings);
  const { name, id, file, checksum } = listed;
  const down = codeIn(exports, 'down');
  return {
    name,
    id,
    file,
    checksum,
    config,
    up,
    down,
    verify: codeIn(exports, 'verify'),
    backfills: exported(exports, 'backfills'),
    knexEntry,
  };
}

/**
 * An export by name: the module's own, else its default export's. Two defaults deep, since a TypeScript default export that was
 * compiled to CommonJS is imported as `default.default`, and Node finds only some of the names in `module.exports = {...}`.
 */
export function exported(exports: unknown, name: string): unknown {
  return layersOf(exports).find((layer) => layer[name] !== undefined)?.[name];
}

function codeIn(exports: unknown, name: string): MigrationCode | undefined {
  const owner = layersOf(exports).find((layer) => layer[name] !== undefined);
  const code = owner?.[name];
  return typeof code === 'function' ? (code.bind(owner) as MigrationCode) : undefined; // knex calls them as methods, too
}

function layersOf(exports: unknown): Record<string, unknown>[] {
  const first = exports as { default?: { default?: unknown } } | null | undefined;
  const layers: unknown[] = [first, first?.default, first?.default?.default];
  return layers.filter((layer) => isRecord(layer));
}

function withoutUp({ name, file }: Listed, exports: unknown): Finding {
  const names = layersOf(exports).flatMap((layer) => Object.keys(layer));
  const message = names.length === 0 ? 'it exports nothing.' : `it exports no function up, only ${[...new Set(names)].join(', ')}.`;
  return fault({ code: 'migration-shape', name, file, message, remedy: 'Export the functions up and down.' });
}

function configFaults({ name, file }: Listed, config: unknown): Finding[] {
  const wrong = (what: string): Finding =>
    fault({ code: 'migration-config', name, file, message: `its config${what}.`, remedy: 'Correct its export config.' });
  if (!isRecord(config)) return [wrong(' is not an object')];
  // Other keys are left alone: knex ignores them, so an existing project may have its own.
  const safe = config['safe'] === undefined ? [] : faultsOfSafe(config['safe']);
  const booleans = ['transaction', 'breaking', 'capture'].filter((key) => !['undefined', 'boolean'].includes(typeof config[key]));
  const { extensions, backfills, onUnfinished } = isRecord(config['requires']) ? config['requires'] : {};
  return [
    ...booleans.map((key) => wrong(`.${key} is neither true nor false`)),
    ...safe.map(wrong),
    ...(config['requires'] === undefined || isRecord(config['requires']) ? [] : [wrong('.requires is not an object')]),
    ...(extensions === undefined || isStrings(extensions) ? [] : [wrong('.requires.extensions is not a list of names')]),
    ...(backfills === undefined || isStrings(backfills) ? [] : [wrong('.requires.backfills is not a list of names')]),
    ...([undefined, 'finish', 'fail'].includes(onUnfinished as string) ? [] : [wrong('.requires.onUnfinished is neither finish nor fail')]),
  ];
}

/** What is wrong with the rules of the lint that a migration wants to be passed over, in words that follow `its config`. */
export function faultsOfSafe(safe: unknown): string[] {
  if (!isRecord(safe)) return ['.safe is not an object of rules and reasons'];
  const rules = Object.keys(lintRuleTable);
  return Object.entries(safe).flatMap(([rule, reason]) => {
    if (!rules.includes(rule)) return [`.safe names ${JSON.stringify(rule)}, which is no rule of the lint${suggestion(rule, rules)}`];
    return typeof reason === 'string' && reason.trim() !== '' ? [] : [`.safe gives no reason for ${rule}`];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
