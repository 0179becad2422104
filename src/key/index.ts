export { jwkThumbprint } from './jwk-thumbprint.ts';
export { readKeyFile, readMlDsaKeyFile, writeKeyFile } from './key-file.ts';
export { hasMlDsa, MlDsaSigningKey, MlDsaVerificationKey } from './ml-dsa-key.ts';
export { readPrivateFile } from './private-file.ts';
export { type Signer, SigningKey } from './signing-key.ts';
export { parseSshPublicKey, type SshPublicKey } from './ssh-public-key.ts';
export { findSshSignatureProblem, formatSshArmour, parseSshArmour } from './ssh-signature.ts';
export { type PublicJwk, parsePublicJwk, VerificationKey } from './verification-key.ts';
