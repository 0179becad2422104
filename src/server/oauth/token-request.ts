import { type Denial, deny } from '../../denial/index.ts';

/** Parameters of a token request (RFC 6749 §4.4.2, RFC 7523 §2.2, RFC 9201, RFC 9396). */
const KNOWN = [
  'grant_type',
  'client_id',
  'client_assertion_type',
  'client_assertion',
  'req_cnf',
  'authorization_details',
  'scope',
  'resource',
] as const;

export type TokenParameter = (typeof KNOWN)[number];
export type TokenParameters = Readonly<Partial<Record<TokenParameter, string>>>;

/**
 * A form (application/x-www-form-urlencoded) that says each thing once (RFC 6749 §3.2). Parameters that are not known are
 * ignored, as that section asks; none that is known means nothing here.
 */
export function parseTokenRequest(bytes: Uint8Array): TokenParameters | Denial {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return deny('request.malformed', 'the form is not UTF-8');
  }
  const parameters: Partial<Record<TokenParameter, string>> = {};
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (seen.has(name)) return deny('request.malformed', 'a parameter is given twice');
    seen.add(name);
    const known = KNOWN.find((one) => one === name);
    // RFC 6749 §3.2: sent without a value is as omitted.
    if (known !== undefined && value !== '') parameters[known] = value;
  }
  return parameters;
}
