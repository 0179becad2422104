export { checkLineage, type LineageInput, type LineagePosition, type ParentFact } from './check-lineage.ts';
export { formatLineageTree } from './format-tree.ts';
export {
  buildLineageForest,
  type ExecutionFact,
  type LineageForest,
  type LineageNode,
} from './tree.ts';
