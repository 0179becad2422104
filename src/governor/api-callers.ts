import { type Denial, isDenial } from '../denial/index.ts';
import type { Role } from '../governance/index.ts';
import { appendGovernance } from './governance-writer.ts';
import type { Home } from './home.ts';

/** Admits whoever presents what hashes to `hash` to the domain's API, on record. */
export async function admitCaller(
  home: Home,
  admitted: {
    readonly caller: string;
    readonly role: Role;
    /** base64url SHA-256 of the token. */
    readonly hash: string;
    readonly expSeconds?: number;
  },
  by: { readonly actor: string; readonly atSeconds: number },
): Promise<Denial | undefined> {
  const { caller, role, hash, expSeconds: exp } = admitted;
  const appended = await appendGovernance(home, [
    {
      ...{ event: 'caller.admitted', at: by.atSeconds, actor: by.actor, caller, role, hash },
      ...(exp === undefined ? {} : { exp }),
    },
  ]);
  return isDenial(appended) ? appended : undefined;
}

/** Accepts a token, or without one each of the caller's, no longer. */
export async function dismissCaller(
  home: Home,
  dismissed: { readonly caller: string; readonly hash?: string },
  by: { readonly actor: string; readonly atSeconds: number },
): Promise<Denial | undefined> {
  const { caller, hash } = dismissed;
  const appended = await appendGovernance(home, [
    {
      ...{ event: 'caller.dismissed', at: by.atSeconds, actor: by.actor, caller },
      ...(hash === undefined ? {} : { hash }),
    },
  ]);
  return isDenial(appended) ? appended : undefined;
}
