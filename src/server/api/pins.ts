import { isDigest } from '../../codec/index.ts';
import type { DaemonPorts } from '../daemon/daemon-ports.ts';

type Follower = DaemonPorts['follower'];
type Policy = ReturnType<Follower['refresh']>['policy'];

const LOOK_MS = 250;

/** What the active policy pins tool definitions to, now and whenever another becomes active. */
export function watchPins(
  follower: Follower,
  changed: (pins: Record<string, string>) => void,
): { readonly first: Record<string, string>; readonly stop: () => void } {
  const { policy } = follower.refresh();
  let known = policy?.bundle.digest;
  const watching = setInterval(() => {
    const now = follower.view.policy;
    if (now?.bundle.digest === known) return;
    known = now?.bundle.digest;
    changed(pinsOf(now));
  }, LOOK_MS);
  return { first: pinsOf(policy), stop: () => clearInterval(watching) };
}

function pinsOf(policy: Policy): Record<string, string> {
  const pins: Record<string, string> = {};
  for (const [tool, { digest }] of policy?.bundle.tools ?? []) {
    if (isDigest(digest)) pins[tool] = digest;
  }
  return pins;
}
