export { notesAccessTimes } from './access-times.ts';
export { COPY_BOUNDS, copyPaths, type PathCopies } from './copy-paths.ts';
export { type MeasuredUse, type NarrowLimit, narrowLimits } from './narrow-limits.ts';
export { type NarrowPath, narrowPaths } from './narrow-paths.ts';
export { findPathUse, type PathUse } from './path-use.ts';
