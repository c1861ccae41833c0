/** What the project declares its schema to be: loaded, made in a database, and read again. The only door of this room. */
export { buildModel, inScratch } from './build.js';
export { declare } from './declare.js';
export { loadModel, type ModelFile } from './load.js';
