#!/usr/bin/env node
import { runCommandLine } from './program.js';

// `ensure-migrated history | head`: whoever reads has seen enough, and what was asked for is done or ends by itself.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), process);
