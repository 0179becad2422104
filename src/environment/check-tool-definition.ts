import type { Digest } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';

/**
 * Whether a tool is still the one that was pinned when policy was published.
 *
 * @param pinned digest of the definition then; a tool that was never pinned is not checked here.
 * @param current digest of the definition as the upstream lists it now, where the enforcement point can tell.
 */
export function checkToolDefinition(
  tool: string,
  pinned: Digest | undefined,
  current: Digest | undefined,
): Denial | undefined {
  if (pinned === undefined) return undefined;
  if (current === undefined) {
    return deny(
      'environment.unmeasured',
      `the definition of ${tool} is pinned and its upstream does not list it`,
    );
  }
  return current === pinned
    ? undefined
    : deny('environment.tool_changed', `the definition of ${tool} is not the pinned one`);
}
