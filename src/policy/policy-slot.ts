import { type Cedar, withCedar } from './cedar.ts';

/** Policies by id, as Cedar takes them. The object's identity is what a slot is keyed by. */
export type StaticPolicies = Readonly<Record<string, string>>;

/** Preparsed sets held at once: the active bundle, the one replacing it, and room for replays of older decisions. */
const SLOT_COUNT = 4;

interface Slots {
  readonly cedar: Cedar;
  /** Policies by slot, least recently used first. */
  readonly held: Map<StaticPolicies, string>;
}

let slots: Slots | undefined;

/**
 * Runs `use` with the id under which Cedar holds exactly these policies, preparsed.
 *
 * Cedar's cache of preparsed sets never evicts, so ids are a fixed few that are overwritten, least recently used first.
 * INVARIANT: an id maps to the one `StaticPolicies` object that owns it; lookup, parse and use happen in one synchronous
 * call, so two bundles can't be mixed.
 */
export function withPreparsed<T>(policies: StaticPolicies, use: (cedar: Cedar, id: string) => T): T {
  return withCedar((cedar) => {
    if (slots?.cedar !== cedar) slots = { cedar, held: new Map() };
    const { held } = slots;
    let id = held.get(policies);
    if (id === undefined) {
      id = takeSlot(held);
      const answer = cedar.preparsePolicySet(id, { staticPolicies: policies });
      if (answer.type !== 'success') throw new TypeError('policies do not parse');
      held.set(policies, id);
    } else if (held.size > 1) {
      held.delete(policies);
      held.set(policies, id);
    }
    return use(cedar, id);
  });
}

/** Number of ids in use and the bound on it. */
export function slotUse(): { held: number; bound: number } {
  return { held: slots?.held.size ?? 0, bound: SLOT_COUNT };
}

function takeSlot(held: Map<StaticPolicies, string>): string {
  if (held.size < SLOT_COUNT) {
    const taken = new Set(held.values());
    for (let index = 0; index < SLOT_COUNT; index += 1) {
      if (!taken.has(`slot-${index}`)) return `slot-${index}`;
    }
  }
  for (const [policies, id] of held) {
    held.delete(policies);
    return id;
  }
  throw new TypeError('no policy slot');
}
