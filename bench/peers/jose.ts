import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type Contestant, mustPermit, mustRefuse } from './contestant.ts';
import { importPeer } from './peer-package.ts';

const VERSION = '6.2.18';
const AUDIENCE = 'spiffe://bench.example/gateway';

interface SignJwt {
  setProtectedHeader(header: object): SignJwt;
  setExpirationTime(time: string): SignJwt;
  setAudience(audience: string): SignJwt;
  setJti(id: string): SignJwt;
  sign(key: KeyObject): Promise<string>;
}

interface Jose {
  readonly SignJWT: new (claims: object) => SignJwt;
  jwtVerify(token: string, key: KeyObject, options: object): Promise<{ readonly payload: object }>;
}

export async function joseContestant(scratch: string): Promise<Contestant> {
  const jose = (await importPeer(scratch, 'jose', VERSION)) as Jose;
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const tokenFor = (path: string, audience = AUDIENCE) =>
    new jose.SignJWT({ sub: 'worker', tool: 'read_text_file', path })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setExpirationTime('24h')
      .setAudience(audience)
      .setJti(crypto.randomUUID())
      .sign(privateKey);
  const verify = async (token: string): Promise<void> => {
    const { payload } = await jose.jwtVerify(token, publicKey, { audience: AUDIENCE, algorithms: ['EdDSA'] });
    mustPermit('path' in payload);
  };
  // Signing is asynchronous, `prepare` is not: made once for all rounds. The library remembers no token.
  const tokens = await Promise.all(Array.from({ length: 1000 }, (_, at) => tokenFor(`/data/file-${at}.txt`)));
  return {
    name: 'jose jwtVerify',
    version: VERSION,
    does: 'signature, expiry and audience of one token that names the call',
    doesNot:
      'judge path or tool (its caller would read the claims); policies; delegation; replay; any record',
    refuses: 'altered token; another audience',
    inFlight: 1,
    batch: tokens.length,
    async check() {
      const token = await tokenFor('/data/file.txt');
      await verify(token);
      const [header, payload, signature] = token.split('.');
      await mustRefuse('an altered token', () => verify([header, `${payload}A`, signature].join('.')));
      await mustRefuse('another audience', async () => verify(await tokenFor('/data/file.txt', 'another')));
    },
    prepare: () => (at) => verify(tokens[at] ?? ''),
  };
}
