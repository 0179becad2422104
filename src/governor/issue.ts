import { mintRoot, type RootGrant, readToken } from '../artifact/index.ts';
import { type Denial, isDenial } from '../denial/index.ts';
import { readKeyFile } from '../key/index.ts';
import { appendGovernance } from './governance-writer.ts';
import type { Home } from './home.ts';

/**
 * Issues a root token in the name of the domain and records it in the governance log.
 *
 * @returns the compact token and its id; `artifact.*` naming the step of AAT-02 §8 that would refuse the grant.
 */
export async function issueArtifact(
  home: Home,
  grant: Omit<RootGrant, 'issuer'>,
  by: { readonly actor: string; readonly atSeconds: number },
): Promise<{ readonly compact: string; readonly jti: string } | Denial> {
  const signer = readKeyFile(home.keyFile('issuer'));
  if (isDenial(signer)) return signer;
  const compact = mintRoot({ ...grant, issuer: { iss: home.issuer, signer } });
  if (isDenial(compact)) return compact;
  const token = readToken(compact, grant.limits);
  if (isDenial(token)) return token;
  const { jti, hash, iss, holder, expSeconds, writ } = token;
  // Recorded before anybody has it: no artifact of the domain is unknown to its log.
  const appended = await appendGovernance(home, [
    {
      event: 'artifact.issued',
      at: by.atSeconds,
      actor: by.actor,
      jti,
      hash,
      iss,
      holder: holder.thumbprint,
      ...(writ.initiator === undefined ? {} : { initiator: writ.initiator.id }),
      exp: expSeconds,
    },
  ]);
  return isDenial(appended) ? appended : { compact, jti };
}
