export type { Action, ActionOf, ColumnDefinition, Constraint, IndexDefinition, Name, Refusal } from './action.js';
export { readBlock, readFunction, readRefusal } from './block.js';
export { pinnedBy, typeNameOf } from './column.js';
export { bodiesIn, everyTable, functionsIn, isTableOrView, relationsIn, stringsOf, writtenName } from './names.js';
export { readActions } from './read.js';
export type { BodyOf } from './readers.js';
