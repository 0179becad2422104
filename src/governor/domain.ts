import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalize } from '../codec/index.ts';
import { type Denial, deny, isDenial } from '../denial/index.ts';
import { readKeyFile, SigningKey, type VerificationKey, writeKeyFile } from '../key/index.ts';
import type { PolicyBundle } from '../policy/index.ts';
import { formatVkey } from '../tlog/index.ts';
import { createEvidenceKey } from './evidence-key.ts';
import { appendGovernance } from './governance-writer.ts';
import { DOMAIN, Home, isDomainName, isLocalName, writeFileDurably } from './home.ts';

/** Makes a trust domain in a folder: issuer, governance and evidence keys, and a governance log that names the anchor. */
export async function createDomain(
  folder: string,
  options: { readonly name: string; readonly actor: string; readonly atSeconds: number },
): Promise<Home | Denial> {
  const { name, actor, atSeconds } = options;
  if (!isDomainName(name)) {
    return deny(
      'request.malformed',
      `"${name}" is no trust domain name: lower-case letters, digits, dots, hyphens`,
    );
  }
  if (existsSync(join(folder, 'domain.json'))) {
    return deny('request.malformed', `${folder} already holds a trust domain`);
  }
  const governanceKey = SigningKey.generate();
  const issuerKey = SigningKey.generate();
  const home = new Home(folder, name, formatVkey(`${name}/governance`, governanceKey.publicKey));
  const failed =
    writeKeyFile(home.keyFile('governance'), governanceKey) ??
    writeKeyFile(home.keyFile('issuer'), issuerKey);
  if (failed !== undefined) return failed;
  createEvidenceKey(home.evidenceKeyFile);
  const appended = await appendGovernance(home, [
    { event: 'domain.created', at: atSeconds, actor, name },
    { event: 'anchor.added', at: atSeconds, actor, iss: home.issuer, jwk: issuerKey.publicKey.jwk },
  ]);
  if (isDenial(appended)) return appended;
  // Last: with this file the domain exists.
  const file = { type: DOMAIN, name, governanceVkey: home.governanceVkey };
  writeFileDurably(join(folder, 'domain.json'), `${canonicalize(file)}\n`, 0o644);
  return home;
}

/** Binds a subject URI to a key in the governance log. */
export async function enrollAgent(
  home: Home,
  options: {
    readonly subject: string;
    readonly key: VerificationKey;
    readonly actor: string;
    readonly atSeconds: number;
  },
): Promise<Denial | undefined> {
  const { subject, key, actor, atSeconds } = options;
  const appended = await appendGovernance(home, [
    { event: 'agent.enrolled', at: atSeconds, actor, subject, jwk: key.jwk },
  ]);
  return isDenial(appended) ? appended : undefined;
}

/** Makes a bundle the domain's active policy: bytes first, then the event that names their digest. */
export async function publishPolicy(
  home: Home,
  bundle: PolicyBundle,
  options: { readonly actor: string; readonly atSeconds: number },
): Promise<Denial | undefined> {
  writeFileDurably(home.policyFile(bundle.digest), bundle.bytes, 0o644);
  const { actor, atSeconds } = options;
  const appended = await appendGovernance(home, [
    { event: 'policy.published', at: atSeconds, actor, id: bundle.id, digest: bundle.digest },
  ]);
  return isDenial(appended) ? appended : undefined;
}

/** The signing key of an execution log, made on first use. */
export function openLogKey(home: Home, log: string): SigningKey | Denial {
  if (!isLocalName(log)) return deny('request.malformed', `"${log}" is no name: letters, digits, ._~- only`);
  const path = home.logKeyFile(log);
  if (!existsSync(path)) {
    const failed = writeKeyFile(path, SigningKey.generate());
    // Another process may have made it in between; then its key counts.
    if (failed !== undefined && !existsSync(path)) return failed;
  }
  return readKeyFile(path);
}
