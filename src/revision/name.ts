import { MigrationError } from '../errors.js';

interface Naming {
  /** With `{timestamp}`, `{number}` and `{slug}`; undefined: as the project's names are. */
  readonly fileName: string | undefined;
  /** The name that sorts last of those that the new one has to follow. */
  readonly last: string | undefined;
  readonly now: Date;
  /** Gives the slug, its words joined by this. */
  readonly slug: (separator: '_' | '-') => string;
}

/**
 * The name of a new migration, without its extension: one that sorts after the last. A second that is taken already is passed over, so that four
 * revisions of one second keep their order. Pure; throws EM_CONFIG_INVALID where the project's last name leaves no place behind it.
 */
export function nextName({ fileName, last, now, slug }: Naming): string {
  const template = fileName ?? templateLike(last);
  const used = last === undefined ? undefined : digitsIn(last, template);
  const name = template
    .replace('{timestamp}', () => timestampAfter(used, now))
    .replace('{number}', () => numberAfter(used))
    .replace('{slug}', () => slug(template.includes('-{slug}') ? '-' : '_'));
  if (last === undefined || name > last) return name;
  throw new MigrationError('EM_CONFIG_INVALID', `"${name}" would sort before "${last}", the last migration, and would run out of order.`, {
    remedy: `Give the option \`migrations.fileName\` a form that sorts after "${last}", such as "z{timestamp}_{slug}".`,
  });
}

// 0007_orders, and 20250101120000-orders: numbers of up to six digits count, longer ones are times.
function templateLike(last: string | undefined): string {
  const [, digits = '', separator = '_'] = /^(\d+)([-_])/.exec(last ?? '') ?? [];
  return `${digits.length > 0 && digits.length <= 6 ? '{number}' : '{timestamp}'}${separator}{slug}`;
}

/** What stands in a name where the template has its number or timestamp. */
function digitsIn(name: string, template: string): string | undefined {
  const before = template.split(/\{(?:timestamp|number)\}/, 1)[0] ?? '';
  return name.startsWith(before) ? /^\d+/.exec(name.slice(before.length))?.[0] : undefined;
}

function numberAfter(used: string | undefined): string {
  return used === undefined ? '0001' : String(BigInt(used) + 1n).padStart(used.length, '0');
}

function timestampAfter(used: string | undefined, now: Date): string {
  const current = render(now);
  const end = used === undefined ? undefined : endOf(used);
  return end === undefined || Number.isNaN(end.getTime()) || render(end) < current ? current : render(new Date(end.getTime() + 1000));
}

// A name with minutes (202501011200) or a day covers them all: "_" sorts after digits.
function endOf(used: string): Date {
  const [, year, month, day, hour = '23', minute = '59', second = '59'] = /^(\d{4})(\d\d)(\d\d)(\d\d)?(\d\d)?(\d\d)?$/.exec(used) ?? [];
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function render(time: Date): string {
  return time.toISOString().slice(0, 19).replaceAll(/\D/g, '');
}
