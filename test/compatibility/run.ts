// npm run test:compatibility: the packed package in projects of each kind, on each Node, against each PostgreSQL. Takes minutes and the npm registry.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { installInto } from '../support/installed.js';
import { bootEverywhere } from './boots.js';
import { between, nodes, oldest, packed, tools } from './packages.js';
import { makeProjects } from './projects.js';
import { compileEverywhere } from './types.js';

const place = mkdtempSync(path.join(os.tmpdir(), 'em-compatibility-'));
const bundles = mkdtempSync(path.join(os.tmpdir(), 'em-bundles-'));
try {
  const tarball = packed(place);
  installInto(place, { ...tools, 'ensure-migrated': tarball });
  installInto(path.join(place, 'nodes'), nodes);
  installInto(path.join(place, 'oldest'), { ...oldest, 'ensure-migrated': tarball });
  installInto(path.join(place, 'between'), { ...between, 'ensure-migrated': tarball });
  const failures = [...compileEverywhere(place), ...(await bootEverywhere(place, await makeProjects(place, bundles)))];
  for (const failure of failures) console.log(`\n${failure}`);
  console.log(failures.length === 0 ? '\nall passed' : `\n${failures.length} failed`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  for (const directory of [place, bundles]) rmSync(directory, { recursive: true, force: true });
}
