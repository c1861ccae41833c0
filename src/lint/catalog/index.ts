export { Catalog } from './catalog.js';
export type { ColumnFacts, IndexFacts, QualifiedName, Query, TypeFacts } from './facts.js';
export { KnownFacts } from './known.js';
export { constraintLetters, constraintName, indexName, type Relation } from './relation.js';
export { unknownRows, type Sizes } from './sizes.js';
export { modifiersOf, writeType, writeTypeName } from './type-text.js';
