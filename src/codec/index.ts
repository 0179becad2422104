export { decodeBase64url, encodeBase64url } from './base64url.ts';
export { type Digest, digestOf, isDigest, sha256, sha256Base64url } from './digest.ts';
export { canonicalize, jsonEquals } from './jcs.ts';
export {
  DEFAULT_MAX_BYTES,
  DEFAULT_MAX_DEPTH,
  isJsonObject,
  type JsonArray,
  type JsonLimits,
  type JsonObject,
  type JsonPrimitive,
  type JsonValue,
  parseJson,
  parseJsonObject,
} from './json.ts';
export { isAdmissibleNumber } from './number.ts';
export { isOutOfProportion } from './proportion.ts';
export { findStringMember } from './string-member.ts';
export { encodeUriSegment } from './uri-segment.ts';
