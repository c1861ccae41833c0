import { isPlainObject, refuse, refuseUnknownKeys, shown, wholeFrom1, within, type Reader } from './values.js';

/** When one of several has failed: begin no more, go on with the others, or go on until more than `max` have failed. */
export type OnFailure =
  | 'stop'
  | 'continue'
  | {
      /**
       * How many may fail.
       * @asType integer
       * @minimum 1
       */
      readonly max: number;
    };

export const readOnFailure: Reader<OnFailure> = (value, place) => {
  if (value === 'stop' || value === 'continue') return value;
  if (!isPlainObject(value)) return refuse(place, '"stop", "continue" or { max }', shown(value));
  refuseUnknownKeys(value, ['max'], place);
  const max = wholeFrom1(value['max'], within(place, 'max'));
  return max === undefined ? undefined : Object.freeze({ max });
};
