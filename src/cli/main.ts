#!/usr/bin/env node
import { runCommandLine } from './program.js';

// `ensure-migrated history | head`, `upgrade 2>&1 | grep -m1 applied`: whoever reads has seen enough, and what was asked for is done or ends by
// itself. Thrown, the EPIPE of a line of progress would end a run between two migrations.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

process.exitCode = await runCommandLine(process.argv.slice(2), process);
