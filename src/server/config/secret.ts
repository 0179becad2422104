import { isDenial } from '../../denial/index.ts';
import { readPrivateFile } from '../../key/index.ts';

/** Where a secret is: the configuration never holds one itself. */
export type SecretReference = { readonly file: string } | { readonly env: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Fetches a secret. A file must be readable by this user alone.
 *
 * @returns the secret, or why it cannot be had, in words that do not repeat it.
 */
export function readSecret(
  reference: SecretReference,
  environment: Environment,
): { readonly secret: string } | { readonly problem: string } {
  if ('env' in reference) {
    const secret = environment[reference.env];
    return secret === undefined || secret === ''
      ? { problem: `the environment variable ${reference.env} is not set` }
      : { secret };
  }
  const secret = readPrivateFile(reference.file);
  return isDenial(secret) ? { problem: secret.detail } : { secret };
}
