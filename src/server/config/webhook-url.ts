const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** What is wrong with where webhooks are to be sent; undefined where they may be. */
export function findWebhookUrlProblem(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.username !== '' || parsed.password !== '') {
    return 'is no URL, or holds a password';
  }
  const { protocol, hostname } = parsed;
  const isFit = protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname));
  return isFit ? undefined : 'is neither https nor http on this machine';
}
