import { stripVTControlCharacters } from 'node:util';

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Numbers stand to the right. */
  readonly align?: 'right';
}

const gap = '  ';

/**
 * A table in columns of equal width, without lines around it. A column in which nothing stands is left out. What does not fit is cut with `...`
 * in the first column, which holds the names.
 */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width: number): string {
  const cells = columns.map((column) => ({ ...column, cells: rows.map((row) => column.text(row)) }));
  const filled = cells.filter((column, index) => index === 0 || column.cells.some((cell) => cell !== ''));
  const sized = filled.map((column) => ({ ...column, size: Math.max(...[column.title, ...column.cells].map(lengthOf)) }));
  const [first, ...rest] = sized;
  if (!first) return '';
  const left = width - rest.reduce((sum, { size }) => sum + size + gap.length, 0);
  first.size = Math.max(Math.min(first.size, left), 20);
  const line = (at: (column: (typeof sized)[number]) => string) =>
    sized
      .map((column) => pad(at(column), column))
      .join(gap)
      .trimEnd();
  return [line(({ title }) => title), ...rows.map((_, index) => line(({ cells: own }) => own[index] ?? ''))].join('\n');
}

function pad(text: string, { size, align }: { readonly size: number; readonly align?: 'right' }): string {
  const cut = lengthOf(text) > size ? `${stripVTControlCharacters(text).slice(0, size - 3)}...` : text;
  const space = ' '.repeat(size - lengthOf(cut));
  return align === 'right' ? space + cut : cut + space;
}

function lengthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}
