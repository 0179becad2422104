/**
 * The gRPC target of a Workload API endpoint: an absolute path of a Unix socket as a URI. Over TCP nothing would tell one
 * workload of a machine from another, so that is none here.
 *
 * @returns undefined where it is no such URI.
 */
export function workloadApiTarget(endpoint: string): string | undefined {
  const [, path] = /^unix:(?:\/\/)?(\/[^?#\0]+)$/.exec(endpoint) ?? [];
  return path === undefined || path.startsWith('//') ? undefined : `unix:${path}`;
}
