import { readToken } from '../../artifact/index.ts';
import type { JsonObject } from '../../codec/index.ts';
import type { Action, Snapshot } from '../../decision/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { exactGrant } from './exact-grant.ts';
import { neighboursOf } from './neighbours.ts';
import { PASSES, type ProposedGrant, Trial } from './trial.ts';

/** The artifact that grants one call and nothing beside it. */
export interface NarrowProposal {
  readonly grant: ProposedGrant;
  /** What deciding that call under it says. */
  readonly asked: string;
  /** What deciding the calls next to it says. `opened`: it would pass; none should. */
  readonly neighbours: readonly {
    readonly change: string;
    readonly code: string;
    readonly opened: boolean;
  }[];
}

/**
 * From a call that was permitted under an artifact that grants more, proposes the one that grants exactly this: shown by
 * deciding again, the call and its neighbours. Signs and writes nothing.
 *
 * @param action the permitted call.
 * @param args what is to be granted, where that is less than was asked for.
 */
export function proposeNarrow(
  action: Action,
  snapshot: Snapshot,
  { args, iss }: { readonly args: JsonObject; readonly iss: string },
): NarrowProposal | Denial {
  const { tool, presentation } = action;
  if (presentation === undefined || isDenial(presentation))
    return deny('request.malformed', 'the call names no artifact');
  const token = readToken(presentation.aat_chain[0] ?? '');
  if (isDenial(token)) return token;
  const agent = snapshot.governance.agentByThumbprint(token.holder.thumbprint)?.subject;
  if (agent === undefined)
    return deny('request.malformed', 'who holds the artifact is not enrolled as an agent');
  const exact = exactGrant(args);
  if (exact === undefined)
    return deny('request.malformed', 'an argument named "*" cannot be granted by itself');
  const trial = new Trial(action, snapshot, { iss, agent });
  const grant = { tools: { [tool]: exact }, audiences: token.audiences ?? [], writ: token.writ };
  const asked = trial.decide({ tool, args }, grant);
  if (!PASSES.has(asked)) return deny('request.malformed', `it would still be denied: ${asked}`);
  const neighbours = neighboursOf({ tool, args }, []).map(({ change, ...next }) => {
    const code = trial.decide(next, grant);
    return { change, code, opened: PASSES.has(code) };
  });
  return { grant, asked, neighbours };
}
