export { readKeyFile, readMlDsaKeyFile, writeKeyFile } from './key-file.ts';
export { hasMlDsa, MlDsaSigningKey, MlDsaVerificationKey } from './ml-dsa-key.ts';
export { readPrivateFile } from './private-file.ts';
export { type Signer, SigningKey } from './signing-key.ts';
export { type PublicJwk, parsePublicJwk, VerificationKey } from './verification-key.ts';
