import type { Node } from 'libpg-query';

/** Whether an option of a statement is on: that of `vacuum (full)` is, that of `vacuum (full off)` is not. */
export function isOn(options: readonly Node[] = [], name: string): boolean {
  return options.some((each) => 'DefElem' in each && each.DefElem.defname === name && !isOff(each.DefElem.arg));
}

// What defGetBoolean() of the server takes for false.
function isOff(value: Node | undefined): boolean {
  if (value === undefined) return false;
  if ('Integer' in value) return (value.Integer.ival ?? 0) === 0;
  return 'String' in value && /^(false|off)$/i.test(value.String.sval ?? '');
}
