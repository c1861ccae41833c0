import type { ReportSection } from '../commands/index.js';
import type { MigrationError } from '../errors.js';
import { placed, type Finding } from '../finding.js';
import { printable, siteKinds, whereText, type Where } from '../sites.js';
import { counted } from '../counted.js';
import { errorFields } from './error-fields.js';
import type { Screen } from './screen.js';
import { findingText } from './text.js';
import { renderTable, type Column } from './table.js';
import type { Cells, Told } from './verb.js';

/** What a verb came to in one of several places; neither where it was not begun. */
export interface SiteTold {
  readonly where: Where;
  readonly told?: Told;
  readonly error?: MigrationError;
  /** What was found there, each with its place; beneath a table, since a row only counts them. */
  readonly findings?: readonly Finding[];
}

/** What a verb came to in several places: one table with what was found beneath it, or a section for each where its result is no row. */
export function toldOfSites(sites: readonly SiteTold[]): Told {
  return {
    result: sites.flatMap(jsonOf),
    text: (screen) => placesText(sites, screen),
    page: sites.flatMap(pageOf),
    exitCode: worstOf(sites),
  };
}

/** The sections of a page, each with its place. */
export function pageOf({ where, told, error }: SiteTold): readonly ReportSection[] {
  const place = whereText(where);
  const title = place === '' ? {} : { title: place };
  return told ? (told.page ?? []).map((section) => ({ ...section, ...title })) : [{ ...title, ...(error && { error }) }];
}

/** Findings that say where they were made. */
export function placedAt(where: Where, findings: readonly Finding[]): readonly Finding[] {
  const place = whereText(where);
  return place === '' ? findings : findings.map((finding) => placed(finding, place));
}

function placesText(sites: readonly SiteTold[], screen: Screen): string {
  if (sites.length === 0) return 'Nothing to do: the options list no tenants.';
  const isTable = sites.every(({ told }) => told === undefined || told.rows !== undefined);
  return isTable ? tableText(sites, screen) : sites.map((site) => sectionText(site, screen)).join('\n\n');
}

function jsonOf({ where, told, error }: SiteTold): object[] {
  if (error) return [{ ...where, error: errorFields(error) }];
  if (!told) return [{ ...where, status: 'not-begun' }];
  return [told.result].flat().map((each: unknown) => ({ ...where, ...(each as object) }));
}

function worstOf(sites: readonly SiteTold[]): 0 | 75 | 78 {
  const codes = sites.map(({ told, error }) => error?.exitCode ?? told?.exitCode ?? 0);
  return codes.some((code) => code !== 0 && code !== 75) ? 78 : codes.includes(75) ? 75 : 0;
}

function sectionText(site: SiteTold, screen: Screen): string {
  const title = screen.style('bold', whereText(site.where));
  return `${title}\n${site.told ? site.told.text(screenAt(site, screen)) : failureText(site, screen)}`;
}

// A pattern, or nothing, has chosen several: a command that is shown for one of them names it.
function screenAt({ where }: SiteTold, screen: Screen): Screen {
  return { ...screen, said: { ...screen.said, ...where } };
}

function failureText({ error }: SiteTold, { style }: Screen): string {
  return error ? `${style('red', error.code)}: ${error.message}` : 'Not begun.';
}

interface Row {
  readonly where: Where;
  readonly cells: Cells;
}

function tableText(sites: readonly SiteTold[], screen: Screen): string {
  const rows = sites.flatMap(rowsOf);
  const titles = [...new Set(rows.flatMap(({ cells }) => Object.keys(cells)))].filter((title) => title !== 'error');
  const columns = [...whereColumns(rows), ...[...titles, 'error'].map((title) => cellColumn(title, rows))];
  const failed = sites.filter(({ error }) => error !== undefined);
  const details = failed.map((site) => `\n${whereText(site.where)}: ${failureText(site, screen)}`);
  return [renderTable(rows, columns, screen.columns), ...findingLines(sites, screen), ...details].join('\n');
}

const shownFindings = 10; // a thousand tenants may have one each
const levels = ['error', 'warn', 'info'] as const;

function findingLines(sites: readonly SiteTold[], screen: Screen): string[] {
  const findings = sites.flatMap((site) => (site.findings ?? []).map((finding) => ({ finding, screen: screenAt(site, screen) })));
  const worstFirst = levels.flatMap((level) => findings.filter(({ finding }) => finding.level === level));
  const found = worstFirst.map((each) => findingText(each.finding, each.screen));
  const more = found.length - shownFindings;
  return more <= 0 ? found : [...found.slice(0, shownFindings), `And ${counted(more, 'more finding')}: --json has all of them.`];
}

function rowsOf({ where, told, error }: SiteTold): Row[] {
  if (told?.rows) return told.rows.map((cells) => ({ where, cells }));
  return [{ where, cells: error ? { status: 'failed', error: error.code } : { status: 'not begun' } }];
}

// A name that all have says nothing.
function whereColumns(rows: readonly Row[]): Column<Row>[] {
  const differing = siteKinds.filter((kind) => new Set(rows.map(({ where }) => where[kind])).size > 1);
  return differing.map((kind) => ({ title: kind, text: ({ where }) => printable(where[kind] ?? '') }));
}

function cellColumn(title: string, rows: readonly Row[]): Column<Row> {
  const isNumber = rows.some(({ cells }) => typeof cells[title] === 'number');
  return { title, text: ({ cells }) => String(cells[title] ?? ''), ...(isNumber && { align: 'right' as const }) };
}
