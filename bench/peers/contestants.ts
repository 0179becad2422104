import { agentGovernanceContestant } from './agent-governance.ts';
import { agentPassportContestant } from './agent-passport.ts';
import { biscuitContestant } from './biscuit.ts';
import { cedarContestant } from './cedar.ts';
import type { Contestant } from './contestant.ts';
import { ed25519Contestant } from './ed25519.ts';
import { joseContestant } from './jose.ts';
import { writContestants } from './writ.ts';
import { gatewayContestants } from './writ-gateway.ts';

type Made = Contestant | Contestant[];

/** By name, as it is shown where it cannot take part. The first is the bound. */
const PARTS: readonly (readonly [name: string, make: (scratch: string) => Made | Promise<Made>])[] = [
  ['Ed25519', ed25519Contestant],
  ['jose', joseContestant],
  ['@cedar-policy/cedar-wasm', cedarContestant],
  ['@biscuit-auth/biscuit-wasm', biscuitContestant],
  ['agent-passport-system', agentPassportContestant],
  ['@microsoft/agent-governance-sdk', agentGovernanceContestant],
  ['Writ, in process', writContestants],
  ['Writ, gateway', gatewayContestants],
];

/** A contestant that could not take part, and why. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}

export interface Contestants {
  /** Seen to permit the good call and to refuse the bad ones. */
  readonly fit: readonly Contestant[];
  readonly absent: readonly Absent[];
  close(): Promise<void>;
}

/** Installs, makes and checks them one after the other. */
export async function gatherContestants(scratch: string): Promise<Contestants> {
  const all: Contestant[] = [];
  const fit: Contestant[] = [];
  const absent: Absent[] = [];
  const leaveOut = (name: string, error: unknown): void => {
    absent.push({ name, reason: reasonOf(error) });
    console.error(`left out: ${name}: ${reasonOf(error)}`);
  };
  for (const [name, make] of PARTS) {
    try {
      const made = [await make(scratch)].flat();
      all.push(...made);
      for (const contestant of made) {
        try {
          await contestant.check();
          fit.push(contestant);
          console.error(`ready: ${contestant.name}`);
        } catch (error) {
          leaveOut(contestant.name, error);
        }
      }
    } catch (error) {
      leaveOut(name, error);
    }
  }
  return {
    fit,
    absent,
    async close() {
      for (const contestant of all) await contestant.close?.();
    },
  };
}

function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? error.message : JSON.stringify(error);
  return reason.split('\n', 1)[0] ?? '';
}
