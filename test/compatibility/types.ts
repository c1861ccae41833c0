import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

interface Wanted {
  readonly compiler: string;
  readonly type: 'module' | 'commonjs';
  readonly resolution: 'node16' | 'nodenext' | 'bundler';
  readonly skipLibCheck: boolean;
}

// TypeScript before 5.8 lets no CommonJS file require an ES module, and `node16` never does. Before 5.7 it cannot read the types of pg's own dependencies.
const wanted: readonly Wanted[] = [
  ...(['node16', 'nodenext', 'bundler'] as const).flatMap((resolution): Wanted[] => [
    { compiler: 'typescript-5.0', type: 'module', resolution, skipLibCheck: true },
    { compiler: 'typescript-5.7', type: 'module', resolution, skipLibCheck: false },
    { compiler: 'typescript-6', type: 'module', resolution, skipLibCheck: false },
  ]),
  { compiler: 'typescript-5.0', type: 'commonjs', resolution: 'bundler', skipLibCheck: true },
  { compiler: 'typescript-5.7', type: 'commonjs', resolution: 'bundler', skipLibCheck: false },
  { compiler: 'typescript-6', type: 'commonjs', resolution: 'nodenext', skipLibCheck: false },
  { compiler: 'typescript-6', type: 'commonjs', resolution: 'bundler', skipLibCheck: false },
];

/** Compiles a project that uses each entry point, under each compiler and resolution. What failed, each as a text. */
export function compileEverywhere(place: string): string[] {
  return wanted.flatMap((each) => {
    const { compiler, type, resolution, skipLibCheck } = each;
    const title = `${compiler}, ${type}, ${resolution}, ${skipLibCheck ? 'skipLibCheck' : 'every type checked'}`;
    const said = compile(place, each);
    console.log(`${said === '' ? 'yes' : 'NO '} ${title}`);
    return said === '' ? [] : [`${title}: ${said}`];
  });
}

function compile(place: string, { compiler, type, resolution, skipLibCheck }: Wanted): string {
  const directory = path.join(place, 'types', `${compiler}-${type}-${resolution}`);
  mkdirSync(directory, { recursive: true });
  const module = resolution === 'bundler' ? 'esnext' : resolution;
  const options = { module, moduleResolution: resolution, target: 'es2022', strict: true, exactOptionalPropertyTypes: true, skipLibCheck };
  writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ private: true, type }));
  writeFileSync(path.join(directory, 'main.ts'), consumer);
  const config = { compilerOptions: { ...options, types: ['node'], noEmit: true }, files: ['main.ts'] };
  writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify(config));
  const tsc = path.join(place, 'node_modules', compiler, 'bin/tsc');
  return spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: directory, encoding: 'utf8' }).stdout;
}

const consumer = `
import { ensureMigrated, isMigrationError, type Options, type Outcome } from 'ensure-migrated';
import { status, upgrade } from 'ensure-migrated/commands';
import { startTestDatabases } from 'ensure-migrated/testing';

const options: Options = { migrations: './migrations', mode: 'wait', rules: { 'history-edited': 'warn' } };
// @ts-expect-error -- the types are strict
export const misspelt: Options = { mode: 'aply' };
export async function boot(): Promise<Outcome['status']> {
  const { inSync } = await status(options);
  const harness = await startTestDatabases({ migrations: './migrations' });
  await harness.stop();
  try {
    return inSync ? (await ensureMigrated(options)).status : (await upgrade(options)).status;
  } catch (error) {
    if (isMigrationError(error, 'EM_LOCK_TIMEOUT')) console.log(error.remedy);
    throw error;
  }
}
`;
