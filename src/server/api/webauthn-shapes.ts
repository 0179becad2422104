import { z } from '@hono/zod-openapi';

const base64url = (maxCharacters: number) =>
  z
    .string()
    .min(1)
    .max(maxCharacters)
    .regex(/^[A-Za-z0-9_-]+$/, 'is no base64url');

const credentialId = base64url(1400);
const clientDataJSON = base64url(6000);

/** Browsers add members of their own; what counts is inside what is signed. */
const common = {
  id: credentialId,
  rawId: credentialId,
  type: z.literal('public-key'),
  authenticatorAttachment: z.enum(['platform', 'cross-platform']).optional(),
  clientExtensionResults: z
    .object({})
    .openapi({ description: 'Not looked at.' })
    .transform(() => ({})),
};

/** `AuthenticationResponseJSON` (WebAuthn Level 3 §5.1.8), of what `navigator.credentials.get` gave. */
export const assertion = z
  .object({
    ...common,
    response: z.object({
      clientDataJSON,
      authenticatorData: base64url(12_000),
      signature: base64url(4000),
      userHandle: base64url(100).optional(),
    }),
  })
  .transform(({ authenticatorAttachment: _attachment, response, ...rest }) => ({
    ...rest,
    response: {
      clientDataJSON: response.clientDataJSON,
      authenticatorData: response.authenticatorData,
      signature: response.signature,
    },
  }))
  .openapi('AuthenticationResponse', {
    description: 'AuthenticationResponseJSON: what PublicKeyCredential.toJSON() gives in a browser.',
  });

/** `RegistrationResponseJSON`, of what `navigator.credentials.create` gave. */
export const registration = z
  .object({
    ...common,
    response: z.object({ clientDataJSON, attestationObject: base64url(60_000) }),
  })
  .transform(({ authenticatorAttachment: _attachment, ...rest }) => rest)
  .openapi('RegistrationResponse', {
    description: 'RegistrationResponseJSON: what PublicKeyCredential.toJSON() gives in a browser.',
  });
