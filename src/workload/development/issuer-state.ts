import { z } from 'zod';
import { parseJsonObject } from '../../codec/index.ts';
import { type Denial, deny, isDenial } from '../../denial/index.ts';
import { DevelopmentIssuer, type IssuerState } from './issuer.ts';

const TYPE = 'writ/development-issuer@v1';
const shape = z.strictObject({
  type: z.literal(TYPE),
  trustDomain: z.string(),
  authorityKey: z.string(),
  authorityCertificate: z.string(),
  witKey: z.string(),
});

/** The file of a development issuer. It holds the private keys of the trust domain. */
export function serializeIssuer({ state }: DevelopmentIssuer): string {
  return `${JSON.stringify({ type: TYPE, ...state }, undefined, 2)}\n`;
}

export function parseIssuer(text: string): DevelopmentIssuer | Denial {
  const json = parseJsonObject(text, 'request.malformed');
  if (isDenial(json)) return json;
  const parsed = shape.safeParse(json);
  if (!parsed.success) return deny('request.malformed', 'it is no development issuer');
  const { type: _type, ...state } = parsed.data;
  return new DevelopmentIssuer(state satisfies IssuerState);
}
