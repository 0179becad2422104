export { ASSURANCES, type Assurance, isAssurance, meetsAssurance } from './assurance.ts';
export { checkEnvironment, type EnvironmentBinding } from './check-environment.ts';
export { checkToolDefinition } from './check-tool-definition.ts';
export { isEnforcerKnown, measureEnforcer } from './collectors/enforcer.ts';
export { keepDigests, recallDigests } from './collectors/kept-digests.ts';
export { measureUpstream, type UpstreamCommand, type UpstreamMeasurement } from './collectors/upstream.ts';
export {
  type Component,
  isComponent,
  isComponentKind,
  isComponentName,
  joinComponents,
  toolComponents,
} from './component.ts';
export {
  CONFINEMENT_LAYERS,
  type ConfinementLayer,
  checkConfinement,
  confinementComponent,
  confinementComponents,
  type LayerState,
  type LayerStates,
} from './confinement.ts';
export { type Measurement, measurementOf, parseMeasurement, serializeMeasurement } from './measurement.ts';
