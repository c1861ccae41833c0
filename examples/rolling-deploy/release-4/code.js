export * from '../release-3/code.js';
