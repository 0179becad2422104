import { readFileSync } from 'node:fs';
import type { TpmRecord } from '../environment/index.ts';

const { quotes, pcrs, resetCount, restartCount } = JSON.parse(
  readFileSync(new URL('../../test/vectors/tpm-quotes.json', import.meta.url), 'utf8'),
);

/** A TPM as enrolling the recorded one would have put it on record. */
export const recordedTpm: TpmRecord = {
  ...{ key: quotes.ecdsa.key, qualifiedName: quotes.ecdsa.qualifiedName },
  ...{
    certificate: Buffer.alloc(32, 1).toString('base64url'),
    root: Buffer.alloc(32, 2).toString('base64url'),
  },
  ...{ pcrs, resetCount, restartCount, boot: 'exact', maxAgeSeconds: 300 },
};
