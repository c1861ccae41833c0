export { renderScript } from './script.js';
export { selectRange, type Range } from './range.js';
export { messagesOf, type ScriptStep } from './step.js';
