// What CHANGELOG.md says of the version of a tag, for a release. Ends with 1 unless tag, package.json, package-lock.json and CHANGELOG.md agree, and
// nothing is left under [Unreleased].
import { readFileSync } from 'node:fs';

const [tag = ''] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const locked = JSON.parse(readFileSync('package-lock.json', 'utf8')).version;
const sections = readFileSync('CHANGELOG.md', 'utf8')
  .split(/^(?=## )/m)
  .map((text) => ({ title: text.split('\n', 1)[0], body: text.slice(text.indexOf('\n')).trim() }));
const section = sections.find(({ title }) => title.startsWith(`## [${version}] - `));
const unreleased = sections.find(({ title }) => title === '## [Unreleased]');

const problems = [
  ...(tag === `v${version}` ? [] : [`the tag is ${tag}, and the version in package.json is ${version}`]),
  ...(locked === version ? [] : [`the version in package-lock.json is ${locked}, and in package.json it is ${version}`]),
  ...(section && /^## \[.+\] - \d{4}-\d\d-\d\d$/.test(section.title) ? [] : [`CHANGELOG.md has no heading "## [${version}] - YYYY-MM-DD"`]),
  ...(section?.body === '' ? [`CHANGELOG.md says nothing of ${version}`] : []),
  ...(unreleased && unreleased.body !== '' ? ['CHANGELOG.md has something under [Unreleased]'] : []),
];
for (const problem of problems) console.error(problem);
if (problems.length === 0) console.log(section.body);
process.exitCode = problems.length === 0 ? 0 : 1;
