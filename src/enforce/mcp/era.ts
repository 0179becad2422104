import { isJsonObject, type JsonObject } from '../../codec/index.ts';

/**
 * How the client speaks (MCP 2026-07-28, basic/versioning): with a handshake (`legacy`, 2025-11-25 and before), or
 * stateless with its version on every request (`modern`).
 */
export type Era = { readonly kind: 'legacy' } | { readonly kind: 'modern'; readonly version: string };

const META_VERSION = 'io.modelcontextprotocol/protocolVersion';
const META_CLIENT = 'io.modelcontextprotocol/clientInfo';
const META_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const META_SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

const MAX_VERSION_CHARACTERS = 64;

export function eraOf(params: JsonObject): Era {
  const meta = params._meta;
  const version = isJsonObject(meta) ? meta[META_VERSION] : undefined;
  return typeof version === 'string' && version.length <= MAX_VERSION_CHARACTERS
    ? { kind: 'modern', version }
    : { kind: 'legacy' };
}

/** What a client of the stateless era says it can do. */
export function clientCapabilitiesOf(params: JsonObject): JsonObject {
  const meta = params._meta;
  const capabilities = isJsonObject(meta) ? meta[META_CAPABILITIES] : undefined;
  return isJsonObject(capabilities) ? capabilities : {};
}

/** `_meta` that an own request needs in this era, as a member of params. */
export function ownMeta(era: Era): JsonObject {
  if (era.kind === 'legacy') return {};
  return {
    _meta: {
      [META_VERSION]: era.version,
      [META_CLIENT]: { name: 'writ', version: '0' },
      [META_CAPABILITIES]: {},
    },
  };
}

/** The `subscriptions/listen` request a notification belongs to, if it names one. */
export function subscriptionIdOf(params: JsonObject): string | number | undefined {
  const meta = params._meta;
  const id = isJsonObject(meta) ? meta[META_SUBSCRIPTION] : undefined;
  return typeof id === 'string' || typeof id === 'number' ? id : undefined;
}
