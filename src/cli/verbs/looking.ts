import { isPageAsked, pageFlag } from '../page.js';
import type { Screen } from '../screen.js';
import { currentText, historyText, preflightText, statusText } from '../text.js';
import { currentCells, historyCells, preflightCells, statusCells } from '../cells.js';
import type { Input, Verb } from '../verb.js';

/** The verbs that only look. */
export const looking: readonly Verb[] = [
  {
    name: 'current',
    summary: "Show the database's revision.",
    description: 'Shows the newest applied migration, and (head) when it is the newest of the code.',
    flags: { '--wait': 'Return once the database is at head: for init containers and scripts.' },
    sites: 'each',
    examples: ['ensure-migrated current', 'ensure-migrated current --wait'],
    run: async (options, { flags }) => {
      const result = await (await import('../../commands/current.js')).current(options, { wait: flags['wait'] === true });
      return { result, text: () => currentText(result), rows: [currentCells(result)] };
    },
  },
  {
    name: 'history',
    arguments: '[range]',
    summary: 'List the migrations of code and database.',
    description:
      'Lists what was applied, in the order in which it ran, and what is pending. A range is from:to; either side may be left out, or be base and head. --verbose adds who applied it, from where, and whether the file is still the same. With --html all of that becomes a page for a browser, with the durations as a timeline, the waits for locks, failed attempts, and what status says.',
    flags: { '-v, --verbose': 'Tell also who applied it, and how.', ...pageFlag },
    sites: 'each',
    examples: [
      'ensure-migrated history',
      'ensure-migrated history --verbose',
      'ensure-migrated history patient_email:',
      'ensure-migrated history --html history.html',
    ],
    run: async (options, { args: [range], flags }) => {
      const result = await (await import('../../commands/history.js')).history(options, rangeOf(range));
      const detail = flags['verbose'] === true ? 'verbose' : 'short';
      const told = { result, text: (screen: Screen) => historyText(result, screen, detail), rows: historyCells(result, detail) };
      if (!isPageAsked(flags)) return told;
      const status = await (await import('../../commands/status.js')).status(options);
      return { ...told, page: [{ status, history: result }] };
    },
  },
  {
    name: 'status',
    summary: 'Tell whether code and database match.',
    description:
      'Compares code and database, names what does not match, and for each finding the one command that mends it. Exit code 0 in sync, 78 not.',
    sites: 'each',
    examples: ['ensure-migrated status', 'ensure-migrated status --json'],
    run: async (options) => {
      const result = await (await import('../../commands/status.js')).status(options);
      const told = { result, text: (screen: Screen) => statusText(result, screen), rows: [statusCells(result)], findings: result.findings };
      return { ...told, exitCode: result.inSync ? 0 : 78 };
    },
  },
  {
    name: 'preflight',
    summary: 'Ask all that a boot would ask before its first change.',
    description:
      'Before a release, and in CI: loads what is pending, plans it, asks all checks and compares, and tells everything together that a boot would refuse or remark. Takes no lock, waits for none, writes nothing. Exit code 78 when a boot would refuse.',
    sites: 'each',
    examples: ['ensure-migrated preflight', 'ensure-migrated preflight --json'],
    run: async (options) => {
      const result = await (await import('../../commands/preflight.js')).preflight(options);
      const told = {
        result,
        text: (screen: Screen) => preflightText(result, screen),
        rows: [preflightCells(result)],
        findings: result.findings,
      };
      return { ...told, exitCode: result.ok ? 0 : 78 };
    },
  },
];

function rangeOf(range: Input['args'][number] | undefined): { from?: string; to?: string } {
  if (range === undefined) return {};
  const [from = '', ...rest] = range.split(':');
  const to = rest.length === 0 ? from : rest.join(':'); // of a second colon: no name has one
  return { ...(from && { from }), ...(to && { to }) };
}
