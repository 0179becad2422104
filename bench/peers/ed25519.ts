import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { type Contestant, mustPermit, mustRefuse } from './contestant.ts';

const MESSAGE_BYTES = 600;

/** The bound: nobody who checks a fresh signature can be faster. */
export function ed25519Contestant(): Contestant {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const message = () => {
    const input = randomBytes(MESSAGE_BYTES);
    return { input, signature: sign(null, input, privateKey) };
  };
  return {
    name: 'Ed25519 verify',
    version: `OpenSSL ${process.versions.openssl}`,
    does: `one signature over ${MESSAGE_BYTES} bytes, key object kept`,
    doesNot: 'anything else',
    refuses: 'altered bytes',
    inFlight: 1,
    batch: 1500,
    async check() {
      const { input, signature } = message();
      mustPermit(verify(null, input, publicKey, signature));
      input[0] = (input[0] ?? 0) ^ 1;
      await mustRefuse('altered bytes', () => verify(null, input, publicKey, signature));
    },
    prepare(count) {
      const signed = Array.from({ length: count }, message);
      return (at) => {
        const one = signed[at];
        mustPermit(one !== undefined && verify(null, one.input, publicKey, one.signature));
      };
    },
  };
}
