/** The verbs, each `(options, verbOptions)`. The only door of this room. */
export { backup, type BackupOptions, type BackupResult } from './backup.js';
export { baseline, type Baselined, type BaselineOptions } from './baseline.js';
export { check, type Checked, type CheckOptions } from './check.js';
export { createAll, type CreateAllOptions } from './create-all.js';
export { current, type Current, type CurrentOptions } from './current.js';
export { downgrade, type DowngradeOptions, type DowngradeQuestion } from './downgrade.js';
export { history, type HistoryEntry, type HistoryOptions } from './history.js';
export { init } from './init.js';
export { plan, type PlannedStatement, type PlannedStep, type PlannedTrace, type PlannedUpgrade, type PlanOptions } from './plan.js';
export { preflight, type Preflight } from './preflight.js';
export { repair, type RepairAction, repairActions, type Repaired, type RepairOptions } from './repair.js';
export { restore, type RestoreOptions, type RestoreResult } from './restore.js';
export { revision } from './revision.js';
export { script, type Script, type ScriptedMigration, type ScriptOptions } from './script.js';
export { stamp, type StampOptions } from './stamp.js';
export { status, type MendableFinding, type Status } from './status.js';
export { upgrade, type UpgradeOptions } from './upgrade.js';

export type { Created } from '../create-all.js';
export type { Init, InitOptions } from '../init/index.js';
export type { Target } from '../plan.js';
export type { Proof } from '../proof.js';
export type { HistoryRow, Locks, OnRecord, RepairQuestion } from '../repair/index.js';
export type { Revision, RevisionOptions } from '../revision/index.js';
export type { Stamped } from '../stamp.js';
export type { TracedLock, TracedMigration, TracedStatement } from '../trace/index.js';
export type { Trace, TraceFailure } from '../traced-steps.js';
