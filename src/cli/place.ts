import { isAbsolute, relative, sep } from 'node:path';

/** What paths in a report for others are relative to: the checkout of a GitHub workflow, where the command runs inside of one, else here. */
export function sourceRoot(): string {
  const workspace = process.env['GITHUB_WORKSPACE'];
  return workspace && !isOutside(relative(workspace, process.cwd())) ? workspace : process.cwd();
}

/** A file below the root, with forward slashes; the path as it is for one that is elsewhere. */
export function pathBelow(root: string, file: string): string {
  const path = relative(root, file);
  return (isOutside(path) ? file : path).replaceAll(sep, '/');
}

function isOutside(path: string): boolean {
  return isAbsolute(path) || path === '..' || path.startsWith(`..${sep}`);
}
