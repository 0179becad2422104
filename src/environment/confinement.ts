import { type Digest, digestOf } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import type { EnvironmentBinding } from './check-environment.ts';
import type { Component } from './component.ts';
import type { Measurement } from './measurement.ts';

/** What confinement is made of, each tried before anything runs in it (spec/exec.md). */
export const CONFINEMENT_LAYERS = [
  'descriptors',
  'files-read',
  'files-write',
  'kernel-settings',
  'limits',
  'network',
  'privileges',
  'processes',
  'system-calls',
] as const;

export type ConfinementLayer = (typeof CONFINEMENT_LAYERS)[number];

/** How an attempt to get through a layer ended; absent: it could not be tried. */
export type LayerState = 'holds' | 'leaks' | 'absent';

export type LayerStates = ReadonlyMap<ConfinementLayer, LayerState>;

const KIND = 'confinement';
const CONFINED_TOOL = /^exec:\/\//;

/** What a component of kind `confinement` measures. */
function layerDigest(layer: ConfinementLayer, state: LayerState): Digest {
  return digestOf(`writ/confinement@v1\n${layer} ${state}`);
}

/** Every layer, as components of the measurement; one that was not tried is absent. */
export function confinementComponents(states: LayerStates): readonly Component[] {
  return CONFINEMENT_LAYERS.map((layer) => confinementComponent(layer, states.get(layer) ?? 'absent'));
}

export function confinementComponent(layer: ConfinementLayer, state: LayerState): Component {
  return { kind: KIND, name: layer, digest: layerDigest(layer, state) };
}

/**
 * Whether a program that is to run confined is: every layer was tried and holds, or is in the state that the root token
 * names (a component binding on it).
 *
 * INVARIANT: only the root, which the issuer signed, can name less than all. Holders add bindings of their own, and
 * what they add must not grant.
 *
 * @returns `environment.unmeasured` where a layer was not tried, `environment.mismatch` where one leaks.
 */
export function checkConfinement(
  tool: string,
  root: EnvironmentBinding | undefined,
  measurement: Measurement | undefined,
): Denial | undefined {
  if (!CONFINED_TOOL.test(tool)) return undefined;
  for (const layer of CONFINEMENT_LAYERS) {
    const measured = measurement?.components.find(({ kind, name }) => kind === KIND && name === layer);
    if (measured?.digest === layerDigest(layer, 'holds')) continue;
    if (measured !== undefined && isNamed(root, measured)) continue;
    return measured?.digest === layerDigest(layer, 'leaks')
      ? deny('environment.mismatch', `confinement leaks: ${layer}`)
      : deny('environment.unmeasured', `confinement is absent: ${layer}`);
  }
  return undefined;
}

function isNamed(binding: EnvironmentBinding | undefined, measured: Component): boolean {
  return (binding?.components ?? []).some(
    ({ kind, name, digest }) => kind === KIND && name === measured.name && digest === measured.digest,
  );
}
