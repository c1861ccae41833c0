export { current, type Current, type CurrentOptions } from './current.js';
export { downgrade, type DowngradeOptions, type DowngradeQuestion } from './downgrade.js';
export { history, type HistoryEntry, type HistoryOptions } from './history.js';
export { stamp, type StampOptions } from './stamp.js';
export { status, type MendableFinding, type Status } from './status.js';
export { upgrade, type UpgradeOptions } from './upgrade.js';
export type { Target } from '../plan.js';
export type { Proof } from '../proof.js';
export type { Stamped } from '../stamp.js';
