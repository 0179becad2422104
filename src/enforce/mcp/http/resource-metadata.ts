import type { JsonObject } from '../../../codec/index.ts';

/** What clients may learn of the endpoint before they have a token (RFC 9728 §2). */
export interface ResourceMetadata {
  /** URL of the endpoint: `https://host/mcp`. */
  readonly resource: string;
  /** Issuers of tokens that it takes, where there are any. */
  readonly authorizationServers?: readonly string[];
  readonly name?: string;
  /** Members of ours. */
  readonly more?: JsonObject;
}

/** RFC 9728 §3.1: the well-known part stands between the host and the path. */
export function metadataPath(path: string): string {
  return `/.well-known/oauth-protected-resource${path === '/' ? '' : path}`;
}

export function resourceMetadata(metadata: ResourceMetadata): Buffer {
  const { resource, authorizationServers = [], name, more = {} } = metadata;
  return Buffer.from(
    JSON.stringify({
      resource,
      ...(authorizationServers.length === 0 ? {} : { authorization_servers: authorizationServers }),
      bearer_methods_supported: ['header'],
      ...(name === undefined ? {} : { resource_name: name }),
      ...more,
    }),
  );
}
