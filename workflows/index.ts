export { pipeline } from './pipeline.ts';
export { search } from './search.ts';
export { trial } from './trial.ts';
