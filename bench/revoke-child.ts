import { createInterface } from 'node:readline';
import { openHome, revoke } from '../src/governor/index.ts';
import { must } from '../test/support/trust-domain.ts';

// Revokes the tokens named on its input, one by one, and says at which wall time each revocation had returned.
const home = must(openHome(process.argv[2] ?? ''));
for await (const value of createInterface({ input: process.stdin })) {
  const by = { actor: 'bench', atSeconds: Math.floor(Date.now() / 1000) };
  must(await revoke(home, { handle: 'token', value }, by));
  console.log(performance.timeOrigin + performance.now());
}
