import { createRequire } from 'node:module';

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly repository?: { readonly url?: string };
}

/** The package.json of ensure-migrated itself. */
export function readOwnPackage(): PackageJson {
  return createRequire(import.meta.url)('../package.json') as PackageJson; // one directory up from src and from dist
}
