import { type Denial, isDenial } from '../denial/index.ts';
import type { RevocationHandle } from '../governance/index.ts';
import { appendGovernance } from './governance-writer.ts';
import type { Home } from './home.ts';

/** Revokes what a handle names, and with it everything that descends from it; it holds once this resolves. */
export async function revoke(
  home: Home,
  revocation: { readonly handle: RevocationHandle; readonly value: string; readonly reason?: string },
  by: { readonly actor: string; readonly atSeconds: number },
): Promise<Denial | undefined> {
  const { handle, value, reason } = revocation;
  const appended = await appendGovernance(home, [
    {
      event: 'revoked',
      at: by.atSeconds,
      actor: by.actor,
      handle,
      value,
      ...(reason === undefined ? {} : { reason }),
    },
  ]);
  return isDenial(appended) ? appended : undefined;
}
