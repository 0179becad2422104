/**
 * What verifying an evidence bundle offline takes, every decision made again: the first in a process, and later ones with
 * one verifier; against one Ed25519 verification and against the governance log's length. `node bench/bundle.ts`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { appendGovernance, bundleExecution, bundleLineage, EvidenceVerifier } from '../src/governor/index.ts';
import { SigningKey } from '../src/key/index.ts';
import { parseVkey } from '../src/tlog/index.ts';
import { must, nowSeconds, TestDomain } from '../test/support/trust-domain.ts';
import { median, print } from './measure.ts';

const ROUNDS = 51;
const GOVERNANCE_EVENTS = [0, 1000, 10_000];

const domain = await TestDomain.create();
const { home } = domain;
const milliseconds = (work: () => unknown): number => {
  const start = performance.now();
  work();
  return performance.now() - start;
};

try {
  let events = 0;
  for (const wanted of GOVERNANCE_EVENTS) {
    for (; events < wanted; events += 500) await issue(events, Math.min(500, wanted - events));
    const opened = await domain.open();
    const chain = [domain.issue()];
    const run = async (parent?: string) => {
      const call = domain.call(chain, {
        audience: opened.audience,
        ...(parent === undefined ? {} : { parent }),
      });
      const outcome = await opened.governor.run(call, async () => ({ status: 'succeeded', value: 1 }));
      if (outcome.verdict === 'deny') throw new Error(outcome.denial.detail);
      return outcome.executionId;
    };
    const ids = [await run(), await run()];
    const root = ids[0] ?? '';
    const child = await run(root);
    for (let at = 0; at < 8; at += 1) await run(child);
    await opened.close();

    const keys = {
      logs: [must(parseVkey(readFileSync(join(home.executionLogFolder('fs'), 'log.vkey'), 'utf8').trim()))],
      governance: must(parseVkey(home.governanceVkey)),
    };
    const textOf = (bundle: unknown) => Buffer.from(JSON.stringify(bundle));
    const single = textOf(must(await bundleExecution(home, ids[1] ?? '')));
    const second = textOf(must(await bundleExecution(home, child)));
    const lineage = textOf(must(await bundleLineage(home, child)));
    const verifier = new EvidenceVerifier(keys);
    const verify = (text: Uint8Array, by = verifier) => {
      const { verified, problems } = by.verify(text);
      if (!verified) throw new Error(problems.join('; '));
    };
    const name = `${wanted} more governance events`;
    const first = milliseconds(() => verify(single));
    const sizes = `${single.byteLength} bytes`;
    const timed = (text: Uint8Array, by?: () => EvidenceVerifier) =>
      median(Array.from({ length: ROUNDS }, () => milliseconds(() => verify(text, by?.()))));
    if (wanted === 0) print('first bundle of the process (Cedar loads)', first, 'ms', sizes);
    print(`${name}: a bundle`, timed(single), 'ms', `${sizes}; target < 5 ms`);
    print(`${name}: with its parent`, timed(second), 'ms', `${second.byteLength} bytes`);
    print(
      `${name}: nothing remembered`,
      timed(single, () => new EvidenceVerifier(keys)),
      'ms',
    );
    print(`${name}: a lineage of 10`, timed(lineage), 'ms', `${lineage.byteLength} bytes`);
  }
  const key = SigningKey.generate();
  const message = Buffer.alloc(256);
  const signature = key.sign(message);
  const bound = median(
    Array.from({ length: ROUNDS }, () => milliseconds(() => key.publicKey.verify(message, signature))),
  );
  print('one Ed25519 verification', bound, 'ms', 'a bundle has five: log, governance, token, proof twice');
} finally {
  domain.dispose();
}

/** Issuances on record, as a busy authority leaves them. */
async function issue(from: number, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, offset) => ({
    ...{ event: 'artifact.issued' as const, at: nowSeconds(), actor: 'bench', iss: home.issuer },
    jti: `bench-${from + offset}`,
    hash: Buffer.alloc(32, 1).toString('base64url'),
    holder: domain.agent.publicKey.thumbprint,
    exp: nowSeconds() + 3600,
  }));
  must(await appendGovernance(home, events));
}
