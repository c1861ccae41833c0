import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const repository = path.resolve(import.meta.dirname, '../..');

/**
 * Two releases of the service, as two container images would hold them: a directory with migrations/ in it, in which a service is started.
 * `next` has one migration more than `first`. The caller deletes `root`.
 */
export async function makeReleases() {
  const root = await mkdtemp(path.join(os.tmpdir(), 'ensure-migrated-demo-'));
  const first = await makeRelease(path.join(root, 'first'), ['migrations', 'examples/demo/first-release']);
  const next = await makeRelease(path.join(root, 'next'), ['migrations', 'examples/demo/first-release', 'examples/demo/next-release']);
  return { root, first, next };
}

async function makeRelease(directory, sources) {
  await mkdir(path.join(directory, 'migrations'), { recursive: true });
  await writeFile(path.join(directory, 'package.json'), '{ "type": "module" }\n');
  for (const source of sources) await cp(path.join(repository, source), path.join(directory, 'migrations'), { recursive: true });
  return directory;
}
