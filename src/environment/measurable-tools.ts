import { isComponentName } from './component.ts';
import { MAX_TOOL_BYTES, MAX_TOOLS } from './measurement.ts';

/**
 * What of the tools that a server lists becomes a part of the measurement: ids that cannot name a component are left out, so that
 * a binding on them does not hold. Throws `TypeError` where there is more than has room.
 *
 * @param shares among how many servers the room is divided.
 */
export function measurableTools<T extends { readonly id: string }>(tools: readonly T[], shares = 1): T[] {
  const named = tools.filter(({ id }) => isComponentName(id));
  if (tools.length > MAX_TOOLS / shares)
    throw new TypeError(`more than ${Math.floor(MAX_TOOLS / shares)} tools`);
  if (Buffer.byteLength(JSON.stringify(named)) > MAX_TOOL_BYTES / shares) {
    throw new TypeError('too many bytes of tools');
  }
  return named;
}
