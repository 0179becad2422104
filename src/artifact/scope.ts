import type { JsonObject } from '../codec/index.ts';
import { type Denial, deny } from '../denial/index.ts';
import { quoteTool } from './claims.ts';
import { findArgumentViolation } from './constraints/index.ts';
import type { VerifiedChain, VerifiedToken } from './verified-chain.ts';
import { isInsideWindow } from './window.ts';

/**
 * Step 6b of AAT-02 §8 for the leaf **and for every ancestor**, leaf first, then the use windows of every token.
 *
 * INVARIANT: a call is granted only if each token of the chain, evaluated on the actual arguments, grants it. The
 * links were compared structurally when the chain was verified; this does not lean on it.
 *
 * @param args parsed strictly, so that every number in them is admissible as written.
 * @returns `scope.tool_not_granted`, `scope.arguments_not_granted` or `scope.outside_window`.
 */
export function checkScope(
  chain: VerifiedChain,
  tool: string,
  args: JsonObject,
  nowSeconds: number,
): Denial | undefined {
  if (!Number.isFinite(nowSeconds)) throw new TypeError('nowSeconds is not a finite number');
  for (const token of chain.tokens.toReversed()) {
    const map = token.tools.get(tool);
    if (map === undefined) {
      return deny(
        'scope.tool_not_granted',
        `step 6b: depth ${token.depth} does not grant ${quoteTool(tool)}`,
      );
    }
    const violation = findArgumentViolation(map, args);
    if (violation !== undefined) {
      return deny(violation.code, `step 6b: depth ${token.depth}: ${violation.detail}`);
    }
  }
  return checkWindows(chain, nowSeconds);
}

/** The use windows of every token alone. */
export function checkWindows(chain: VerifiedChain, nowSeconds: number): Denial | undefined {
  for (const token of chain.tokens) {
    if (!isInsideSomeWindow(token, nowSeconds)) {
      return deny('scope.outside_window', `no use window at depth ${token.depth} is open`);
    }
  }
  return undefined;
}

function isInsideSomeWindow(token: VerifiedToken, nowSeconds: number): boolean {
  const windows = token.writ.use?.windows;
  return windows === undefined || windows.some((window) => isInsideWindow(window, nowSeconds));
}
