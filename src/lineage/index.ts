export { checkLineage, type LineageInput, type LineagePosition, type ParentFact } from './check-lineage.ts';
export {
  describeAuthority,
  describeEnd,
  describeEntry,
  describeVerification,
  type Naming,
  type Row,
} from './describe-entry.ts';
export { type OpenLineageSource, openLineageEvents } from './export-openlineage.ts';
export {
  type OtelSource,
  type OtlpAttribute,
  type OtlpSpan,
  type OtlpTraces,
  otelTraces,
  spanIdOf,
  traceIdOf,
} from './export-otel.ts';
export { ProvDocument } from './export-prov.ts';
export { formatLineageTree } from './format-tree.ts';
export {
  type AuthorizationOrigin,
  type Delegation,
  type GovernanceFacts,
  type GovernanceRecord,
  type LineageEntry,
  lineageEntryOf,
  type PolicyAuthority,
  type RecordedExecution,
  type Verification,
  type VerificationLevel,
} from './lineage-entry.ts';
export { lineageJson } from './lineage-json.ts';
export { type Picture, renderDot } from './render-dot.ts';
export { renderSvg } from './render-svg.ts';
export { type Link, type Relation, type Selection, selectAround } from './select-around.ts';
export {
  buildLineageForest,
  type ExecutionFact,
  type LineageForest,
  type LineageNode,
} from './tree.ts';
export { visibleText } from './visible-text.ts';
