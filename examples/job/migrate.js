// Migrates and ends: for a deployment that migrates in a step of its own, while its services boot with ENSURE_MIGRATED_MODE=wait.
// Environment: DATABASE_URL. Exit code: 0 in sync, 75 try again later, 78 a person must act, 143 stopped by a signal.
import { ensureMigrated } from 'ensure-migrated';

try {
  await ensureMigrated({ application: { name: 'notes-job' } });
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
}
