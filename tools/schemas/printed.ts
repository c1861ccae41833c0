import type { PrintedError } from '../../src/cli/error-fields.js';
import type {
  Baselined,
  BackupResult,
  Checked,
  Created,
  Current,
  Drift,
  Generated,
  HistoryEntry,
  ImportedHistory,
  Init,
  LintReport,
  PlannedUpgrade,
  Preflight,
  Repaired,
  RestoreResult,
  Revision,
  Script,
  SquashResult,
  Stamped,
  Status,
} from '../../src/commands/index.js';
import type { BackfillProgress, Outcome, RowAside } from '../../src/index.js';
import type { Where } from '../../src/sites.js';

/** What each verb prints with `--json` of one history. */
export interface Printed {
  init: Init;
  revision: Revision | Generated;
  squash: SquashResult;
  check: Checked;
  drift: Drift;
  'create-all': Created;
  upgrade: Outcome;
  downgrade: Outcome;
  backfill: readonly BackfillProgress[] | readonly RowAside[];
  plan: PlannedUpgrade;
  lint: LintReport;
  script: Script;
  current: Current;
  history: readonly HistoryEntry[];
  status: Status;
  preflight: Preflight;
  baseline: Baselined;
  'import-history': ImportedHistory;
  stamp: Stamped;
  repair: Repaired;
  backup: BackupResult;
  restore: RestoreResult;
}

/** What is printed around that. */
export interface Around {
  failure: PrintedError;
  where: Where;
}
