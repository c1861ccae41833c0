export { effectsOf, lockingKinds } from './effect.js';
export { columnOf, impliesNotNull, isKnownNotNull } from './implied.js';
export { isWider, splitType } from './type-change.js';
export { volatilityOf } from './volatility.js';
export type { TableEffect, Work } from './work.js';
