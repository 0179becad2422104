export { readKeyFile, writeKeyFile } from './key-file.ts';
export { readPrivateFile } from './private-file.ts';
export { type Signer, SigningKey } from './signing-key.ts';
export { type PublicJwk, parsePublicJwk, VerificationKey } from './verification-key.ts';
