import { expect, it } from 'vitest';
import {
  CONFINEMENT_LAYERS,
  type ConfinementLayer,
  checkConfinement,
  confinementComponent,
  confinementComponents,
  type LayerState,
} from './confinement.ts';
import { measurementOf } from './measurement.ts';

const TOOL = 'exec://tool/run';
const all = (state: LayerState) => new Map(CONFINEMENT_LAYERS.map((layer) => [layer, state] as const));
const measured = (states: ReadonlyMap<ConfinementLayer, LayerState>) =>
  measurementOf(confinementComponents(states), 'self', 0);

it('permits what holds in every layer', () => {
  expect(checkConfinement(TOOL, undefined, measured(all('holds')))).toBeUndefined();
});

it.each(CONFINEMENT_LAYERS)('denies where %s leaks, or was not tried', (layer) => {
  expect(
    checkConfinement(TOOL, undefined, measured(new Map([...all('holds'), [layer, 'leaks']]))),
  ).toMatchObject({
    code: 'environment.mismatch',
  });
  const untried = all('holds');
  untried.delete(layer);
  expect(checkConfinement(TOOL, undefined, measured(untried))).toMatchObject({
    code: 'environment.unmeasured',
  });
});

it('denies where nothing was measured', () => {
  expect(checkConfinement(TOOL, undefined, undefined)).toMatchObject({ code: 'environment.unmeasured' });
  expect(checkConfinement(TOOL, undefined, measurementOf([], 'self', 0))).toMatchObject({
    code: 'environment.unmeasured',
  });
});

it('takes the state that the root token names, and no other', () => {
  const weak = measured(new Map([...all('holds'), ['network', 'leaks']]));
  const naming = (layer: ConfinementLayer, state: LayerState) => ({
    components: [confinementComponent(layer, state)],
  });
  expect(checkConfinement(TOOL, naming('network', 'leaks'), weak)).toBeUndefined();
  expect(checkConfinement(TOOL, naming('network', 'absent'), weak)).toMatchObject({
    code: 'environment.mismatch',
  });
  expect(checkConfinement(TOOL, naming('limits', 'leaks'), weak)).toMatchObject({
    code: 'environment.mismatch',
  });
});

it('asks nothing of tools that are not run confined', () => {
  expect(checkConfinement('mcp://fs/tools/read', undefined, undefined)).toBeUndefined();
});
