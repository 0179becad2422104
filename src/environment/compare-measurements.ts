import { type Component, compareComponents } from './component.ts';

/** What became of one component. */
export interface Drift {
  readonly kind: string;
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly before?: string;
  readonly now?: string;
}

/** Which components account for the difference of two measurements; none where their digests are the same. */
export function findDrift(before: readonly Component[], now: readonly Component[]): readonly Drift[] {
  const label = ({ kind, name }: Component) => `${kind}/${name}`;
  const known = new Map(before.map((component) => [label(component), component]));
  const current = new Map(now.map((component) => [label(component), component]));
  const all = [...before, ...now.filter((component) => !known.has(label(component)))].sort(compareComponents);
  return all.flatMap((component): Drift[] => {
    const { kind, name } = component;
    const [old, present] = [known.get(label(component))?.digest, current.get(label(component))?.digest];
    if (old === present) return [];
    return [
      {
        ...{
          kind,
          name,
          change: old === undefined ? 'added' : present === undefined ? 'removed' : 'changed',
        },
        ...(old === undefined ? {} : { before: old }),
        ...(present === undefined ? {} : { now: present }),
      },
    ];
  });
}
